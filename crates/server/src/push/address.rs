//! Which addresses the server may make requests to where users choose them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address belongs to nobody's own network (RFC 6890), nor stands for one that may.
#[must_use]
pub fn is_public_address(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(address) => is_public_v4(address),
            None => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    // This network, carriers' own, protocols', benchmarks', the anycast of 6to4, and what is reserved.
    let is_special = matches!(
        (first, second, third),
        (0 | 240.., _, _) | (100, 64..=127, _) | (192, 0, 0) | (198, 18 | 19, _) | (192, 88, 99)
    );
    let is_own = address.is_loopback() || address.is_private() || address.is_link_local();
    let is_nobody = address.is_multicast() || address.is_documentation();
    !(is_special || is_own || is_nobody)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let is_global = first & 0xe000 == 0x2000;
    // Protocols' and tunnels' (Teredo, ORCHID), examples', and 6to4, which stands for an address of IPv4.
    let is_special = matches!(
        (first, second),
        (0x2001, 0x0000..=0x01ff | 0x0db8) | (0x2002, _) | (0x3fff, 0..=0x0fff)
    );
    is_global && !is_special
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_nobodys_own_network() {
        let own = [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "192.0.2.1",
            "198.18.0.1",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "2001::1",
        ]
        .map(|text| text.parse().unwrap());
        for address in &own {
            assert!(!is_public_address(*address), "{address}");
        }
        let public: [IpAddr; 2] = ["9.9.9.9", "2620:fe::9"].map(|text| text.parse().unwrap());
        assert!(public.iter().all(|address| is_public_address(*address)));
    }
}
