//! Ranges of IP addresses.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// What a configured range must look like.
const RULE: &str = "must be an IP address or a network, such as \"127.0.0.1\", \"10.0.0.0/8\" or \"2001:db8::/32\"";

/// The addresses that begin with the same bits. IPv4 addresses in the form of IPv6 are the IPv4 addresses that they are.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Network {
    /// The first of them.
    first: IpAddr,
    bits: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadNetwork {
    #[error("{RULE}")]
    Unreadable,
    #[error("has bits beyond its length: the network is {0}")]
    HostBits(Network),
}

impl Network {
    /// Those that one caller can take on at will: the address itself, of IPv6 the /64 that a single line is given.
    pub fn of_caller(address: IpAddr) -> Self {
        match address.to_canonical() {
            address @ IpAddr::V4(_) => Self::around(address, 32),
            address @ IpAddr::V6(_) => Self::around(address, 64),
        }
    }

    /// What a caller's network is a part of: of IPv6 the /48 that a house, or a rack, is given, else itself.
    #[must_use]
    pub fn of_site(self) -> Self {
        if self.first.is_ipv6() { Self::around(self.first, self.bits.min(48)) } else { self }
    }

    pub fn contains(self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.first.is_ipv4() && Self::around(address, self.bits).first == self.first
    }

    fn around(address: IpAddr, bits: u8) -> Self {
        let shift = |width: u8| u32::from(width.saturating_sub(bits));
        let first = match address {
            IpAddr::V4(v4) => IpAddr::V4((v4.to_bits() & u32::MAX.checked_shl(shift(32)).unwrap_or(0)).into()),
            IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & u128::MAX.checked_shl(shift(128)).unwrap_or(0)).into()),
        };
        Self { first, bits }
    }
}

impl FromStr for Network {
    type Err = BadNetwork;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, bits) = match text.trim().split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text.trim(), None),
        };
        let address: IpAddr = address.parse().map_err(|_| BadNetwork::Unreadable)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let digits = |bits: &&str| !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit());
        let bits = match bits {
            None => most,
            Some(bits) => Some(bits).filter(digits).and_then(|bits| bits.parse().ok()).ok_or(BadNetwork::Unreadable)?,
        };
        if bits > most {
            return Err(BadNetwork::Unreadable);
        }
        // ::ffff:10.0.0.0/104 is 10.0.0.0/8.
        let (address, bits) = match address.to_canonical() {
            IpAddr::V4(v4) if address.is_ipv6() && bits >= 96 => (IpAddr::V4(v4), bits - 96),
            _ => (address, bits),
        };
        let network = Self::around(address, bits);
        if network.first == address { Ok(network) } else { Err(BadNetwork::HostBits(network)) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.first, self.bits) {
            (IpAddr::V4(_), 32) | (IpAddr::V6(_), 128) => write!(f, "{}", self.first),
            (first, bits) => write!(f, "{first}/{bits}"),
        }
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn networks_hold_their_addresses() {
        for (network, inside, outside) in [
            ("127.0.0.1", "127.0.0.1", "127.0.0.2"),
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("10.0.0.0/8", "::ffff:10.1.1.1", "::10.1.1.1"),
            ("::ffff:10.0.0.0/104", "10.1.1.1", "11.1.1.1"),
            ("0.0.0.0/0", "255.1.2.3", "::1"),
            ("::/0", "2001:db8::1", "1.2.3.4"),
            ("2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"),
        ] {
            let parsed: Network = network.parse().unwrap();
            assert!(parsed.contains(ip(inside)), "{network} {inside}");
            assert!(!parsed.contains(ip(outside)), "{network} {outside}");
        }
        for text in ["", "localhost", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/+8", "10.0.0/8", "10.0.0.0/8/8"] {
            assert_eq!(text.parse::<Network>(), Err(BadNetwork::Unreadable), "{text}");
        }
        let slip = "10.0.0.1/8".parse::<Network>().unwrap_err();
        assert!(slip.to_string().ends_with("10.0.0.0/8"), "{slip}");
    }

    #[test]
    fn a_caller_is_its_address_or_its_line() {
        for (address, network) in [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("::1", "::/64"),
        ] {
            assert_eq!(Network::of_caller(ip(address)).to_string(), network);
        }
        let site = |address: &str| Network::of_caller(ip(address)).of_site().to_string();
        assert_eq!([site("192.0.2.7"), site("2001:db8:1:2::3")], ["192.0.2.7", "2001:db8:1::/48"]);
    }
}
