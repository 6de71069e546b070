//! The domain, pure: no async, no SQL, no HTTP, no ambient time.

pub mod arrangement;
pub mod asset;
pub mod backoff;
pub mod damage;
pub mod date_time;
pub mod email_setting;
pub mod firing;
pub mod handle;
pub mod id;
pub mod invalid;
pub mod job;
pub mod kind;
pub mod listing;
pub mod locale;
pub mod log;
pub mod making;
pub mod metadata;
pub mod name;
pub mod network;
pub mod outcome;
pub mod overwrite;
pub mod property_set;
pub mod role;
pub mod schedule;
pub mod set_definition;
pub mod source;
pub mod state;
pub mod trigger;

/// Declares an enum whose variants are constants of the IPS API: the Rust name is the name on the wire.
macro_rules! constants {
    ($(#[$meta:meta])* $vis:vis enum $name:ident ($what:literal) { $($(#[$vmeta:meta])* $variant:ident),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        $vis enum $name { $($(#[$vmeta])* $variant),+ }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => stringify!($variant)),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::model::invalid::UnknownConstant;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|c| c.as_str() == text).ok_or_else(|| {
                    $crate::model::invalid::UnknownConstant::new($what, text, Self::ALL.iter().map(|c| c.as_str()))
                })
            }
        }
    };
}
pub(crate) use constants;
