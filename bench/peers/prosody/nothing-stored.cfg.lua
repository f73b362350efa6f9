-- Prosody 0.12 where nothing is stored: messages go from one connected client to another.
-- The tool that runs the benchmark fills in what stands between at signs.

-- It is a plain process of the benchmark in a folder of its own, and leaves no daemon behind.
run_as_root = true
data_path = "@DIR@/data"
pidfile = "@DIR@/prosody.pid"

-- The fastest of the three backends on Linux (prosody.im/doc/network_backend), and the default; libevent was replaced by it.
network_backend = "epoll"
-- The generational collector costs less processor time than the incremental one where most objects die young, as
-- stanzas do (prosody.im/doc/advanced_gc).
gc = { mode = "generational" }
-- Thousands of connections arrive at once; the default of 128 would refuse some. Nobody waits for Nagle's algorithm: with it,
-- a log-in takes three times as long.
network_settings = { tcp_backlog = 4096; nagle = false }

-- Only what cannot be answered without a person is written down: a line for each log-in costs time.
log = { { levels = { min = "error" }, to = "file", filename = "@DIR@/prosody.log" } }

-- What a small public server has loaded, without the parts that nobody here speaks to.
modules_enabled = {
	"roster"; "saslauth"; "tls"; "disco"; "ping"; "presence"; "message"; "iq"; "c2s"; "offline";
	-- Copies for a user's other devices, resumption, and blocking: every client of today expects them.
	"carbons"; "smacks"; "blocklist";
	-- Accounts are made over the wire, before anything is measured.
	"register_ibr";
}
-- Nobody is reached but by clients on this machine. Rate limits (mod_limits) are off, since all come from one address.
modules_disabled = { "s2s" }

-- As many as are asked for, since nothing else is said: the preparation makes thousands of accounts from one address.
allow_registration = true

-- Accounts are kept as SCRAM-SHA-256 asks, with as many rounds as ejabberd does. Only clients do that work at a log-in.
authentication = "internal_hashed"
password_hash = "SHA-256"
default_iteration_count = 4096
-- Its own files: faster than SQLite (669 against 1,532 µs for an archived message, measured beforehand).
storage = "internal"

-- The scenarios without TLS are about the way of a message.
c2s_require_encryption = false
allow_unencrypted_plain_auth = false

interfaces = { "127.0.0.1" }
c2s_ports = { @PLAIN_PORT@ }
c2s_direct_tls_ports = { @TLS_PORT@ }
-- The one certificate, for every port.
certificates = "@DIR@"
ssl = { certificate = "@CERTIFICATE@", key = "@KEY@" }

-- Whoever makes a node has to be an administrator; it is the generator's first client.
admins = { "load0@@DOMAIN@" }

VirtualHost "@DOMAIN@"

-- Nodes (XEP-0060), with the settings that it has by itself: items are kept.
Component "pubsub.@DOMAIN@" "pubsub"
