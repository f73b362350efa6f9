//! The command line.

mod from_afar;
mod invite;
mod notices;
mod outage;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

pub(crate) use from_afar::{ApiToken, NewApiToken, Session};
pub(crate) use invite::{Invitation, Invite};
pub(crate) use notices::{Motd, OfDomain, Said, Shutdown, Welcome};
pub(crate) use outage::Outage;

use crate::terminal::Manner;

/// Waxwing: a federated messaging server on XMPP.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100)]
pub(crate) struct Cli {
    /// The configuration file.
    #[arg(long, global = true, default_value = "/etc/waxwing/waxwing.toml")]
    pub config: PathBuf,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs the server in the foreground.
    Serve {
        /// How log lines are written.
        #[arg(long, value_enum, default_value_t = LogFormat::Text)]
        log_format: LogFormat,
    },
    /// Examines configuration, certificate, DNS, data directory, ports, clock and disk, and says what to mend.
    Check(Check),
    /// Accounts of the running server.
    #[command(subcommand)]
    Account(Account),
    /// Push notifications of the running server's accounts.
    #[command(subcommand)]
    Push(Push),
    /// What people have reported of those whom they blocked.
    #[command(subcommand)]
    Report(Report),
    /// Invitations to the running server, and links for new passwords.
    #[command(subcommand)]
    Invite(Invite),
    /// Sessions of the running server.
    #[command(subcommand)]
    Session(Session),
    /// Sends a message to everybody who is online; it is stored for nobody.
    Announce {
        /// What is said.
        text: String,
        /// Only to people of this domain.
        #[arg(long)]
        domain: Option<String>,
        #[command(flatten)]
        output: Output,
    },
    /// The message of the day, which each account of the running server gets once.
    #[command(subcommand)]
    Motd(Motd),
    /// The welcome message, which each new account of the running server gets at its first log-in.
    #[command(subcommand)]
    Welcome(Welcome),
    /// Ends the running server in order, after telling everybody who is online.
    Shutdown(Shutdown),
    /// Counts accounts of the running server, and who of them is here.
    Status {
        /// Only those of this domain.
        #[arg(long)]
        domain: Option<String>,
        #[command(flatten)]
        output: Output,
    },
    /// Prints the file that tells people why the server does not answer (XEP-0455), for another machine to hand out.
    Outage(Outage),
    /// Tokens by which programs run commands over HTTP.
    #[command(subcommand)]
    ApiToken(ApiToken),
    /// Has the running server read its configuration and certificates again; no stream is dropped.
    Reload {
        #[command(flatten)]
        output: Output,
    },
    /// Writes everything that the running server stores into one file.
    Backup {
        /// Where it goes; an older backup there is replaced when the new one is whole.
        file: PathBuf,
        #[command(flatten)]
        output: Output,
    },
    /// Says whether a backup is whole and can be restored; needs no server.
    Verify {
        /// The backup.
        file: PathBuf,
        #[command(flatten)]
        output: Output,
    },
    /// What is stored, as a whole.
    #[command(subcommand)]
    Store(StoreCommand),
    /// Restores a backup into the data directory, or the database, which must be empty; no server may run there.
    Restore {
        /// The backup.
        file: PathBuf,
        #[command(flatten)]
        output: Output,
    },
    /// Says what is damaged in a data directory, and saves what can be read; writes nothing into it. No server may run
    /// there. Of a database it reads everything, while a server runs or not.
    Doctor(Doctor),
    /// Certificates.
    #[command(subcommand)]
    Certificate(Certificate),
    /// Prints what a shell needs to complete this program's words.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Writes the pages of the manual into a folder: waxwing(1), one for each command, and waxwing.toml(5).
    Manual {
        /// Where they go.
        #[arg(long)]
        dir: PathBuf,
    },
    /// Writes the files that are generated from the registry of features (for developers).
    Generate {
        /// The workspace.
        #[arg(long)]
        dir: PathBuf,
        /// Only says which files are not fresh.
        #[arg(long)]
        check: bool,
    },
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// How a command's result is written.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Output {
    /// Writes the result as one line of JSON.
    #[arg(long)]
    pub json: bool,
}

/// Where a password comes from.
#[derive(Clone, Debug, Args)]
pub(crate) struct Password {
    /// The password; other users of this machine can see it among the running programs, so
    /// prefer to be asked or --password-stdin.
    #[arg(long, conflicts_with = "password_stdin")]
    pub password: Option<String>,
    /// Reads the password from standard input, one line.
    #[arg(long)]
    pub password_stdin: bool,
}

/// Roles that an account can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// A person like any other.
    Member,
    /// Reaches local addresses only.
    Restricted,
    /// Runs its domain.
    Admin,
    /// Runs the server.
    Operator,
}

/// Accounts of the running server.
#[derive(Debug, Subcommand)]
pub(crate) enum Account {
    /// Makes an account.
    Add {
        /// Its address, user@domain.
        jid: String,
        /// What it may do.
        #[arg(long, value_enum, default_value_t = Role::Member)]
        role: Role,
        /// Even if the name belonged to an account that was removed.
        #[arg(long)]
        reuse: bool,
        #[command(flatten)]
        password: Password,
        #[command(flatten)]
        output: Output,
    },
    /// Removes an account with everything it stores.
    Remove {
        /// Its address.
        jid: String,
        #[command(flatten)]
        output: Output,
    },
    /// Sets an account's password and ends its sessions.
    Passwd {
        /// Its address.
        jid: String,
        #[command(flatten)]
        password: Password,
        #[command(flatten)]
        output: Output,
    },
    /// Sets what an account may do; sessions that it has go on with the new role.
    SetRole {
        /// Its address.
        jid: String,
        /// What it may do.
        #[arg(value_enum)]
        role: Role,
        #[command(flatten)]
        output: Output,
    },
    /// Lists accounts.
    List {
        /// Only those of this domain.
        #[arg(long)]
        domain: Option<String>,
        /// Only those that may not log in.
        #[arg(long)]
        disabled: bool,
        #[command(flatten)]
        output: Output,
    },
    /// Shows one account: what it may do, when it was last logged into, where it is online, and since when it is not.
    Show {
        /// Its address.
        jid: String,
        #[command(flatten)]
        output: Output,
    },
    /// Lists an account's contacts: who of them sees whose presence, and what their owner calls them.
    Roster {
        /// Its address.
        jid: String,
        #[command(flatten)]
        output: Output,
    },
    /// Forbids log-in; nothing is removed.
    Disable {
        /// Its address.
        jid: String,
        #[command(flatten)]
        output: Output,
    },
    /// Allows log-in again.
    Enable {
        /// Its address.
        jid: String,
        #[command(flatten)]
        output: Output,
    },
}

/// Push notifications of the running server's accounts.
#[derive(Debug, Subcommand)]
pub(crate) enum Push {
    /// Lists an account's push services by device: which one works, and why another does not.
    List {
        /// Its address.
        jid: String,
        #[command(flatten)]
        output: Output,
    },
}

/// What people have reported of those whom they blocked.
#[derive(Debug, Subcommand)]
pub(crate) enum Report {
    /// Lists reports, the newest first.
    List {
        /// Only those of this domain's accounts.
        #[arg(long)]
        domain: Option<String>,
        #[command(flatten)]
        output: Output,
    },
    /// Shows one report with all that it says.
    Show {
        /// Its id, as the list shows it.
        id: String,
        #[command(flatten)]
        output: Output,
    },
    /// Removes a report.
    Dismiss {
        /// Its id, as the list shows it.
        id: String,
        #[command(flatten)]
        output: Output,
    },
}

/// What is stored, as a whole.
#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Copies everything from one data directory or PostgreSQL database to another, which must be empty, reads it there
    /// again, and compares. No server may run on either.
    Copy(CopyOrder),
}

/// What goes where.
#[derive(Clone, Debug, Args)]
pub(crate) struct CopyOrder {
    /// The data directory or the database's URL that is copied; without it, that of the configuration. A password in a URL
    /// can be seen among the running programs by other users of this machine; the configuration's cannot.
    #[arg(long, value_name = "DIR|URL", required_unless_present = "to")]
    pub from: Option<String>,
    /// Where it goes; without it, to that of the configuration.
    #[arg(long, value_name = "DIR|URL")]
    pub to: Option<String>,
    #[command(flatten)]
    pub output: Output,
}

/// How to examine.
#[derive(Clone, Debug, Args)]
pub(crate) struct Check {
    /// Looks no name up: the DNS records that are needed are only listed.
    #[arg(long, conflicts_with = "dns")]
    pub offline: bool,
    /// Asks this name server instead of the system's, such as the one that a domain's records are kept by.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub dns: Option<SocketAddr>,
    #[command(flatten)]
    pub output: Output,
}

/// What to look at, and where what can be read goes.
#[derive(Clone, Debug, Args)]
pub(crate) struct Doctor {
    /// The data directory; otherwise that of the configuration.
    pub dir: Option<PathBuf>,
    /// Saves everything that can be read into a backup, which `waxwing restore` takes.
    #[arg(long, value_name = "FILE")]
    pub export: Option<PathBuf>,
    /// Takes versions of tables that this program does not know for damaged numbers; only if no newer version of
    /// Waxwing was ever started here.
    #[arg(long)]
    pub any_version: bool,
    /// Where there is room for a copy of the database while it works [default: where the export goes, or TMPDIR, or
    /// /var/tmp].
    #[arg(long, value_name = "DIR")]
    pub scratch: Option<PathBuf>,
    #[command(flatten)]
    pub output: Output,
}

/// Certificates.
#[derive(Debug, Subcommand)]
pub(crate) enum Certificate {
    /// Makes a certificate by an authority of one's own, which is made too if it is not there.
    Local(LocalCertificate),
}

/// What a certificate is to be.
#[derive(Clone, Debug, Args)]
pub(crate) struct LocalCertificate {
    /// The domain; give it several times for a server of several domains.
    #[arg(long, default_value = "localhost")]
    pub domain: Vec<String>,
    /// Where ca.pem, ca-key.pem, cert.pem and key.pem go.
    #[arg(long)]
    pub dir: PathBuf,
    /// Replaces the certificate and the key that are there.
    #[arg(long)]
    pub replace: bool,
    /// Replaces the authority too; every client has to be told to trust the new one.
    #[arg(long)]
    pub replace_authority: bool,
    #[command(flatten)]
    pub output: Output,
}

impl Command {
    /// How an error is wanted.
    pub(crate) fn manner(&self) -> Manner {
        let output = match self {
            Command::Serve { log_format } => {
                return match log_format {
                    LogFormat::Json => Manner::Log,
                    LogFormat::Text => Manner::Text,
                };
            }
            Command::Completions { .. }
            | Command::Manual { .. }
            | Command::Generate { .. }
            | Command::Outage(_) => {
                return Manner::Text;
            }
            Command::Check(Check { output, .. })
            | Command::Doctor(Doctor { output, .. })
            | Command::Reload { output }
            | Command::Backup { output, .. }
            | Command::Verify { output, .. }
            | Command::Restore { output, .. }
            | Command::Push(Push::List { output, .. })
            | Command::Report(
                Report::List { output, .. }
                | Report::Show { output, .. }
                | Report::Dismiss { output, .. },
            )
            | Command::Store(StoreCommand::Copy(CopyOrder { output, .. }))
            | Command::Certificate(Certificate::Local(LocalCertificate { output, .. }))
            | Command::Account(
                Account::Add { output, .. }
                | Account::Remove { output, .. }
                | Account::Passwd { output, .. }
                | Account::SetRole { output, .. }
                | Account::List { output, .. }
                | Account::Show { output, .. }
                | Account::Roster { output, .. }
                | Account::Disable { output, .. }
                | Account::Enable { output, .. },
            )
            | Command::Invite(
                Invite::Create(Invitation { output, .. })
                | Invite::List { output, .. }
                | Invite::Used { output, .. }
                | Invite::Revoke { output, .. },
            )
            | Command::Session(Session::List { output, .. } | Session::End { output, .. })
            | Command::Announce { output, .. }
            | Command::Shutdown(Shutdown { output, .. })
            | Command::Status { output, .. }
            | Command::ApiToken(
                ApiToken::Create(NewApiToken { output, .. })
                | ApiToken::List { output }
                | ApiToken::Revoke { output, .. },
            ) => output,
            Command::Motd(motd) => motd.output(),
            Command::Welcome(welcome) => welcome.output(),
        };
        if output.json {
            Manner::Json
        } else {
            Manner::Text
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use waxwing_server::registry::Registry;
    use waxwing_server::xep::FEATURES;

    use super::*;

    /// A command that a feature registers is missing from no face: the others are made of the registry.
    #[test]
    fn every_registered_command_can_be_typed() {
        let all = Cli::command();
        for command in Registry::new(FEATURES).unwrap().commands() {
            let mut found = Some(&all);
            for word in command.name.split(' ') {
                found = found.and_then(|found| found.find_subcommand(word));
            }
            let found = found.unwrap_or_else(|| panic!("waxwing {}", command.name));
            let given = found.get_arguments().count();
            let wanted = command.arguments.iter();
            let wanted = wanted.filter(|one| !["cursor", "limit"].contains(&one.name));
            assert!(given >= wanted.count(), "waxwing {}", command.name);
        }
    }
}
