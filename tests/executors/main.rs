//! Executors carry out real jobs: real files, a real database, real pictures, real HTTP servers.

// Helpers of tests are tests.
#![allow(clippy::unwrap_used)]

mod archives;
mod as_named;
mod child;
mod cleanup;
mod condemned;
mod contexts;
mod corpus;
mod damaged_pages;
#[path = "../support/database.rs"]
mod database;
mod drawn;
mod edits;
mod export;
mod framing;
mod heif;
mod layers;
mod leaves;
mod likeness;
mod links;
mod metadata;
mod misbehaving;
mod names;
mod neighbours;
mod odd_documents;
mod optimize;
mod options;
mod overtaken;
mod pages;
mod photoshop;
mod photoshop_file;
mod pieces;
mod publish;
mod publish_turns;
mod published_files;
mod real;
mod served;
mod sets;
mod svg;
mod unfinished;
mod upload;
mod urls;
mod video_publish;
mod videos;
mod withdrawn;
mod workers;
mod world;
