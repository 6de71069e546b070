mod edits;
mod hostile;
mod kinds;
mod pyramids;
mod samples;
mod serve;
mod support;
mod tiffs;
