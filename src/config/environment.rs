//! What the process finds around it: systemd's folder, the host's name, the local zone.

use std::{env, fmt, path::PathBuf, str::FromStr};

use chrono_tz::Tz;

use super::error::Problem;

/// The parts of the environment that the configuration falls back to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// `STATE_DIRECTORY`, as systemd sets it for `StateDirectory=`.
    pub state_directory: Option<PathBuf>,
    /// `TZ`
    pub tz: Option<String>,
    /// The zone that /etc/localtime or /etc/timezone names.
    pub system_zone: Option<String>,
    pub host_name: String,
}

/// An environment in which nothing is set.
impl Default for Environment {
    fn default() -> Self {
        Self { state_directory: None, tz: None, system_zone: None, host_name: "localhost".to_owned() }
    }
}

impl Environment {
    pub fn of_process() -> Self {
        let variable = |name| env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            // systemd separates several folders by colons; the first is ours.
            state_directory: variable("STATE_DIRECTORY")
                .and_then(|folders| folders.split(':').next().map(PathBuf::from)),
            tz: variable("TZ"),
            system_zone: iana_time_zone::get_timezone().ok(),
            host_name: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        }
    }

    pub(super) fn local_zone(&self, configured: Option<Tz>) -> Result<LocalZone, Problem> {
        if let Some(zone) = configured {
            return Ok(LocalZone { zone, origin: ZoneOrigin::Config });
        }
        let named =
            [(&self.tz, "TZ", ZoneOrigin::Environment), (&self.system_zone, "/etc/localtime", ZoneOrigin::System)];
        for (name, key, origin) in named {
            let Some(name) = name else { continue };
            return parse(name).map(|zone| LocalZone { zone, origin }).ok_or_else(|| Problem::BadValue {
                key: key.to_owned(),
                value: format!("{name:?}"),
                rule: "must be the IANA name of a zone, such as Europe/Berlin; or set `zone` in the configuration"
                    .to_owned(),
            });
        }
        Ok(LocalZone { zone: Tz::UTC, origin: ZoneOrigin::Assumed })
    }
}

/// A value of `TZ` or of /etc/localtime: a name, perhaps after a colon, or as a path below a zoneinfo folder.
fn parse(text: &str) -> Option<Tz> {
    let text = text.strip_prefix(':').unwrap_or(text);
    let name = text.rsplit_once("/zoneinfo/").map_or(text, |(_, name)| name);
    Tz::from_str(name).ok()
}

/// The zone of schedules, and where it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalZone {
    pub zone: Tz,
    pub origin: ZoneOrigin,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ZoneOrigin {
    Config,
    Environment,
    System,
    /// Nothing names one, as in a bare container.
    Assumed,
}

impl fmt::Display for ZoneOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Config => "from the configuration",
            Self::Environment => "from TZ",
            Self::System => "from /etc/localtime",
            Self::Assumed => "assumed, as nothing names a zone",
        })
    }
}
