import { expect, test } from 'vitest'
import { sentenceOf } from '../src/command/sentence.ts'

const names = { postgres: 'db:5432/shop', redis: undefined }
const said = (message: string, code?: string) =>
  sentenceOf(Object.assign(new Error(message), code === undefined ? {} : { code }), names)

// A bug: the advice to name an authority was given for every error of TLS, such as a server that
// ends the connection.
test.each([
  ['self-signed certificate', 'DEPTH_ZERO_SELF_SIGNED_CERT', /: name the authority .*sslrootcert/],
  ['unable to verify the first certificate', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', /: name the auth/],
  ['unable to get local issuer certificate', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY', /: name the a/],
  [
    'The server does not support SSL connections',
    undefined,
    /: take sslmode out of the URL, or have the server offer TLS\.$/,
  ],
  [
    'Client network socket disconnected before secure TLS connection was established',
    'ECONNRESET',
    /ended the connection \(Client .* established\): check that it runs, and that --database names/,
  ],
  [
    'certificate has expired',
    'CERT_HAS_EXPIRED',
    /could not agree on TLS with this client \(certificate has expired\): check that it runs/,
  ],
])('what to do about "%s" is what helps', (message, code, sentence) => {
  expect(said(message, code)).toMatchObject({
    text: expect.stringMatching(sentence),
    exitCode: said('x', 'ECONNREFUSED').exitCode,
  })
})
