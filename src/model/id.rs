//! Row numbers that cannot be mistaken for one another.

macro_rules! ids {
    ($($(#[$meta:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

ids! {
    /// A tenant.
    CompanyId,
    /// A person.
    AccountId,
    /// What submitJob created.
    JobId,
    /// One firing of a job: the run number.
    InstanceId,
    AssetId,
    FolderId,
    /// A publish context.
    ContextId,
    /// A named set of image-serving commands.
    ImageFormatId,
    /// A metadata field that a company defined.
    MetadataFieldId,
    PropertySetTypeId,
    PropertySetId,
}

impl CompanyId {
    /// The daemon's own company, which runs the built-in jobs.
    pub const SYSTEM: Self = Self(0);
}
