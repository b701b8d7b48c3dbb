//! Certificates of an authority that is made for the occasion, and streams over them.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use std::error::Error;
use std::io;
use std::sync::Arc;
use switchback::net::TcpStream;

/// The stream of a client.
pub type ClientStream = StreamOwned<ClientConnection, TcpStream>;
/// The stream of a server.
pub type ServerStream = StreamOwned<ServerConnection, TcpStream>;

/// What certificates are for.
pub const NAME: &str = "localhost";

/// One that signs certificates for [`NAME`].
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// A new one of this name, which nobody trusts yet.
    ///
    /// # Errors
    ///
    /// When there is no chance to be had.
    pub fn new(name: &str) -> Result<Self, rcgen::Error> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        Ok(Self(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?))
    }

    /// Its own certificate, which clients are to trust, as text.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A server with a new certificate.
    ///
    /// # Errors
    ///
    /// When there is no chance to be had.
    pub fn server(&self) -> Result<Arc<ServerConfig>, Box<dyn Error>> {
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new([NAME.to_owned()])?.signed_by(&key, &self.0)?;
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let config = ServerConfig::builder().with_no_client_auth();
        Ok(Arc::new(config.with_single_cert(vec![certificate.der().clone()], key)?))
    }

    /// Clients that trust it, and nobody else.
    ///
    /// # Errors
    ///
    /// None: its certificate is one.
    pub fn client(&self) -> Result<Arc<ClientConfig>, rustls::Error> {
        trusting(self.0.der().clone())
    }
}

/// Clients that trust the authority of this certificate, [`Authority::pem`].
///
/// # Errors
///
/// When the text holds none.
pub fn client_of_pem(pem: &[u8]) -> Result<Arc<ClientConfig>, Box<dyn Error>> {
    Ok(trusting(CertificateDer::from_pem_slice(pem)?)?)
}

fn trusting(root: CertificateDer<'static>) -> Result<Arc<ClientConfig>, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(root)?;
    Ok(Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()))
}

/// The server's end of `stream`. The first call that reads or writes shakes hands.
///
/// # Errors
///
/// When the configuration does not fit.
pub fn accept(config: &Arc<ServerConfig>, stream: TcpStream) -> io::Result<ServerStream> {
    let connection = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
    Ok(StreamOwned::new(connection, stream))
}

/// The client's end of `stream`, to a server called `name`. The first call that reads or writes shakes hands.
///
/// # Errors
///
/// When that is no name.
pub fn connect(config: &Arc<ClientConfig>, name: &str, stream: TcpStream) -> io::Result<ClientStream> {
    let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
    let connection = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
    Ok(StreamOwned::new(connection, stream))
}
