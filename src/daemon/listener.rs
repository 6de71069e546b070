//! The HTTP side: one address, with TLS or without.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum_server::tls_rustls::RustlsConfig;
use axum_server::{Handle, Server};
use tokio::task::JoinHandle;
use tower_http::timeout::TimeoutLayer;

use super::StartError;

use crate::config::{Config, Gzip};
use crate::service::Services;
use crate::service::uploads::Uploads;
use crate::transport::connections::Bounded;
use crate::transport::exports::{self, ExportState};
use crate::transport::json::{self, Accepting, HttpMetrics, JsonState};
use crate::transport::proxies;
use crate::transport::soap::operations::ServiceDispatch;
use crate::transport::soap::{self, GzipPolicy, SoapState};
use crate::transport::upload::{self, UploadState};

/// How long requests under way may take when the daemon stops.
const LAST_REQUESTS: Duration = Duration::from_secs(5);

/// An address that is ours, nobody answering yet.
pub(super) struct Bound {
    socket: TcpListener,
    address: SocketAddr,
    tls: Option<RustlsConfig>,
}

/// A server that answers.
pub(super) struct Listener {
    handle: Handle<SocketAddr>,
    task: JoinHandle<()>,
    accepting: Accepting,
}

impl Listener {
    pub async fn bind(config: &Config) -> Result<Bound, StartError> {
        let address = config.server.listen;
        let refuse = |source| StartError::Listen { address, source };
        let socket = TcpListener::bind(address).map_err(refuse)?;
        socket.set_nonblocking(true).map_err(refuse)?;
        let address = socket.local_addr().map_err(refuse)?;
        Ok(Bound { socket, address, tls: tls(config).await? })
    }

    /// Refuses new connections, and waits for the requests under way.
    pub async fn close(self) {
        self.accepting.end();
        self.handle.graceful_shutdown(Some(LAST_REQUESTS));
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the listener ended badly");
        }
    }
}

impl Bound {
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn serve(self, config: &Config, services: Services, uploads: Uploads) -> Listener {
        let accepting = Accepting::default();
        let handle = Handle::new();
        let app = routes(config, services, uploads, self.tls.is_some(), accepting.clone())
            .into_make_service_with_connect_info::<SocketAddr>();
        let (socket, tls, closing) = (self.socket, self.tls, handle.clone());
        let (patience, most) = (config.server.request_timeout.duration(), config.server.max_connections);
        let task = tokio::spawn(async move {
            let served = match tls {
                None => match axum_server::from_tcp(socket) {
                    Ok(server) => patient(server, patience, most).handle(closing).serve(app).await,
                    Err(error) => Err(error),
                },
                Some(tls) => match axum_server::from_tcp_rustls(socket, tls) {
                    Ok(server) => patient(server, patience, most).handle(closing).serve(app).await,
                    Err(error) => Err(error),
                },
            };
            if let Err(error) = served {
                tracing::error!(%error, "the listener failed");
            }
        });
        Listener { handle, task, accepting }
    }
}

/// Closes connections that are too many, or whose request does not come.
fn patient<A>(server: Server<SocketAddr, A>, patience: Duration, most: u32) -> Server<SocketAddr, Bounded<A>> {
    let mut server = server.first_request_timeout(patience).map(|acceptor| Bounded::new(acceptor, most));
    server.http_builder().http1().header_read_timeout(patience);
    server
}

fn routes(config: &Config, services: Services, uploads: Uploads, https: bool, accepting: Accepting) -> Router {
    let settings = soap::Settings {
        gzip: match config.server.gzip {
            Gzip::Never => GzipPolicy::Never,
            Gzip::Soap => GzipPolicy::Soap,
            Gzip::Accept => GzipPolicy::Accept,
            Gzip::Always => GzipPolicy::Always,
        },
        max_body_bytes: usize::try_from(config.server.max_request_bytes.get()).unwrap_or(usize::MAX),
        patience: config.server.request_timeout.duration(),
        public_url: config.server.public_url.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned()),
        https,
        ..soap::Settings::default()
    };
    let dispatch = Arc::new(ServiceDispatch::new(services.clone()));
    let http = HttpMetrics::default();
    let downloads = Arc::new(ExportState { services: services.clone(), root: config.export_root() });
    let administrators = Arc::new(JsonState {
        services,
        limits: super::parts::limits(config, true),
        data: config.data().to_owned(),
        accepting,
        http: http.clone(),
    });
    let router = soap::router(Arc::new(SoapState { dispatch, settings }))
        .merge(json::router(administrators))
        .merge(exports::router(downloads));
    // Calls give up by themselves, with a fault; this is for everything else.
    let longest = config.server.request_timeout.duration() + LAST_REQUESTS;
    let router = router.layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, longest));
    // An upload may take as long as its client goes on sending.
    let patience = config.server.request_timeout.duration();
    let router = router.merge(upload::router(Arc::new(UploadState { uploads, patience })));
    json::measured(proxies::behind(router, config.server.trusted_proxies.clone()), http)
}

async fn tls(config: &Config) -> Result<Option<RustlsConfig>, StartError> {
    let (Some(certificate), Some(key)) = (&config.server.tls_certificate, &config.server.tls_key) else {
        return Ok(None);
    };
    super::parts::install_crypto();
    RustlsConfig::from_pem_file(certificate, key).await.map(Some).map_err(|e| StartError::Tls(e.to_string()))
}
