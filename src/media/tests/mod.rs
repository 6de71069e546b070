#[cfg(feature = "avif")]
mod avif;
mod damage;
mod edits;
mod headers;
mod hostile;
mod jpegs;
mod kinds;
mod others;
mod psds;
mod pyramids;
mod samples;
mod serve;
mod support;
mod tiffs;
