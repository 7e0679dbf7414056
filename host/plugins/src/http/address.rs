//! Which addresses belong to the public internet, by the registries of IANA. All others are special: a machine's own,
//! a network's own, or nobody's. Computed from the address alone.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

/// A network by its first three groups.
const fn v6(a: u16, b: u16, c: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix)
}

/// What is not public in IPv4; all else is.
const SPECIAL_V4: [(Ipv4Net, &str); 15] = [
    (v4(0, 0, 0, 0, 8), "this network"),
    (v4(10, 0, 0, 0, 8), "private"),
    (v4(100, 64, 0, 0, 10), "shared by a carrier's customers"),
    (v4(127, 0, 0, 0, 8), "loopback"),
    (v4(169, 254, 0, 0, 16), "link-local"),
    (v4(172, 16, 0, 0, 12), "private"),
    (v4(192, 0, 0, 0, 24), "for protocols"),
    (v4(192, 0, 2, 0, 24), "for documentation"),
    (v4(192, 88, 99, 0, 24), "6to4 relay"),
    (v4(192, 168, 0, 0, 16), "private"),
    (v4(198, 18, 0, 0, 15), "for benchmarks"),
    (v4(198, 51, 100, 0, 24), "for documentation"),
    (v4(203, 0, 113, 0, 24), "for documentation"),
    (v4(224, 0, 0, 0, 4), "multicast"),
    (v4(240, 0, 0, 0, 4), "reserved"),
];

/// All of public IPv6. What lies outside of it is special, with or without a name.
const GLOBAL_UNICAST: Ipv6Net = v6(0x2000, 0, 0, 3);

/// The special parts of IPv6: those within [`GLOBAL_UNICAST`], and the names of those outside.
const SPECIAL_V6: [(Ipv6Net, &str); 11] = [
    (Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128), "loopback"),
    (Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 128), "unspecified"),
    (v6(0x64, 0xff9b, 1, 48), "a network's own NAT64"),
    (v6(0x2001, 0, 0, 23), "for protocols"),
    (v6(0x2001, 0xdb8, 0, 32), "for documentation"),
    (v6(0x2002, 0, 0, 16), "6to4"),
    (v6(0x3fff, 0, 0, 20), "for documentation"),
    (v6(0xfc00, 0, 0, 7), "private"),
    (v6(0xfe80, 0, 0, 10), "link-local"),
    (v6(0xfec0, 0, 0, 10), "site-local"),
    (v6(0xff00, 0, 0, 8), "multicast"),
];

/// IPv4 addresses as a DNS64 server hands them to hosts that have IPv6 alone.
const NAT64: Ipv6Net = v6(0x64, 0xff9b, 0, 96);

/// What kind of special address this is; `None` if it is a public one. An address that carries an IPv4 address to
/// which it leads, mapped or by NAT64, is what that one is.
pub(super) fn special(address: IpAddr) -> Option<&'static str> {
    match address.to_canonical() {
        IpAddr::V4(address) => special_v4(address),
        IpAddr::V6(address) if NAT64.contains(&address) => {
            let [.., a, b, c, d] = address.octets();
            special_v4(Ipv4Addr::new(a, b, c, d))
        }
        IpAddr::V6(address) => {
            let named = SPECIAL_V6.iter().find(|(network, _)| network.contains(&address));
            let unnamed = (!GLOBAL_UNICAST.contains(&address)).then_some("reserved");
            named.map(|(_, kind)| *kind).or(unnamed)
        }
    }
}

fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    SPECIAL_V4.iter().find(|(network, _)| network.contains(&address)).map(|(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each network with its first and last address, and its neighbours where those are public.
    const ADDRESSES: &[(&str, Option<&str>)] = &[
        ("0.0.0.0", Some("this network")),
        ("0.255.255.255", Some("this network")),
        ("1.0.0.0", None),
        ("9.255.255.255", None),
        ("10.0.0.0", Some("private")),
        ("10.255.255.255", Some("private")),
        ("11.0.0.0", None),
        ("100.63.255.255", None),
        ("100.64.0.0", Some("shared by a carrier's customers")),
        ("100.127.255.255", Some("shared by a carrier's customers")),
        ("100.128.0.0", None),
        ("126.255.255.255", None),
        ("127.0.0.1", Some("loopback")),
        ("127.255.255.255", Some("loopback")),
        ("128.0.0.0", None),
        ("169.253.255.255", None),
        ("169.254.169.254", Some("link-local")),
        ("169.255.0.0", None),
        ("172.15.255.255", None),
        ("172.16.0.0", Some("private")),
        ("172.31.255.255", Some("private")),
        ("172.32.0.0", None),
        ("192.0.0.170", Some("for protocols")),
        ("192.0.1.0", None),
        ("192.0.2.1", Some("for documentation")),
        ("192.0.3.0", None),
        ("192.88.99.1", Some("6to4 relay")),
        ("192.167.255.255", None),
        ("192.168.0.0", Some("private")),
        ("192.168.255.255", Some("private")),
        ("192.169.0.0", None),
        ("198.17.255.255", None),
        ("198.18.0.0", Some("for benchmarks")),
        ("198.19.255.255", Some("for benchmarks")),
        ("198.20.0.0", None),
        ("198.51.100.255", Some("for documentation")),
        ("203.0.113.0", Some("for documentation")),
        ("223.255.255.255", None),
        ("224.0.0.0", Some("multicast")),
        ("239.255.255.255", Some("multicast")),
        ("240.0.0.0", Some("reserved")),
        ("255.255.255.255", Some("reserved")),
        ("::", Some("unspecified")),
        ("::1", Some("loopback")),
        // An address of the long gone form that has an IPv4 address at its end.
        ("::127.0.0.1", Some("reserved")),
        ("::ffff:127.0.0.1", Some("loopback")),
        ("::ffff:10.1.2.3", Some("private")),
        ("::ffff:8.8.8.8", None),
        ("64:ff9b::127.0.0.1", Some("loopback")),
        ("64:ff9b::169.254.169.254", Some("link-local")),
        ("64:ff9b::8.8.8.8", None),
        ("64:ff9b:1::8.8.8.8", Some("a network's own NAT64")),
        ("100::1", Some("reserved")),
        ("1fff:ffff::", Some("reserved")),
        ("2000::", None),
        // Teredo and ORCHID among others.
        ("2001::1", Some("for protocols")),
        ("2001:1ff:ffff::", Some("for protocols")),
        ("2001:200::", None),
        ("2001:db7:ffff::", None),
        ("2001:db8::1", Some("for documentation")),
        ("2001:db9::", None),
        ("2002:7f00:1::", Some("6to4")),
        ("2003::", None),
        ("2606:4700:4700::1111", None),
        ("3ffe:ffff::", None),
        ("3fff::1", Some("for documentation")),
        ("3fff:fff:ffff::", Some("for documentation")),
        ("3fff:1000::", None),
        ("4000::", Some("reserved")),
        ("5f00::1", Some("reserved")),
        ("fc00::1", Some("private")),
        ("fdff::1", Some("private")),
        ("fe80::1", Some("link-local")),
        ("fec0::1", Some("site-local")),
        ("ff02::1", Some("multicast")),
    ];

    #[test]
    fn every_address_is_public_or_of_a_special_kind() {
        for (address, expected) in ADDRESSES {
            let parsed = address.parse().unwrap();
            assert_eq!(special(parsed), *expected, "{address}");
        }
    }

    #[test]
    fn every_special_network_is_special_throughout_and_in_each_disguise() {
        for (network, kind) in SPECIAL_V4 {
            assert_eq!(network, network.trunc(), "{network} has bits past its prefix");
            for address in [network.network(), network.broadcast()] {
                let [a, b, c, d] = address.octets().map(u16::from);
                let nat64 = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, a << 8 | b, c << 8 | d);
                for disguise in [IpAddr::V4(address), address.to_ipv6_mapped().into(), nat64.into()] {
                    assert_eq!(special(disguise), Some(kind), "{disguise}");
                }
            }
        }
        for (network, kind) in SPECIAL_V6 {
            assert_eq!(network, network.trunc(), "{network} has bits past its prefix");
            for address in [network.network(), network.broadcast()] {
                assert_eq!(special(address.into()), Some(kind), "{address}");
            }
        }
    }
}
