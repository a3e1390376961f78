import { chmodSync, chownSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  freePort,
  type PostgresServer,
  selfSigned,
  startPostgres,
  startRedis,
} from '@oncekey/test-servers'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { oncekey } from './oncekey.ts'

const { cert, key } = selfSigned

let folder: string
let ca: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'oncekey-tls-'))
  ca = join(folder, 'ca.pem')
  writeFileSync(ca, cert)
  writeFileSync(join(folder, 'key.pem'), key)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

// The page about the command line did not say how to ask for TLS.
test('DATABASE_URL asks for TLS by sslmode, and names an authority by sslrootcert', {
  timeout: 180_000,
}, async () => {
  const server = await startPostgres()
  try {
    const url = await server.createDatabase()
    const asked = (query: string, env = {}) =>
      oncekey(['doctor', '--json'], { env: { DATABASE_URL: `${url}${query}`, ...env } })
    expect((await asked('?sslmode=verify-full')).stderr).toContain('does not support SSL')
    await offerTls(server, url)

    const refused = await Promise.all(
      ['?sslmode=verify-full', '?sslmode=require'].map((q) => asked(q)),
    )
    for (const { stderr } of refused) expect(stderr).toContain('self-signed certificate')
    const reached = await Promise.all([
      asked(`?sslmode=verify-full&sslrootcert=${ca}`),
      asked('?sslmode=verify-full', { NODE_EXTRA_CA_CERTS: ca }),
      asked('?sslmode=no-verify'),
    ])
    for (const { stdout } of reached) expect(JSON.parse(stdout)).toBeDefined()
    expect((await asked('')).stderr).toContain('no encryption')
  } finally {
    await server.stop()
  }
})

test('REDIS_URL asks for TLS by rediss, and takes an authority from NODE_EXTRA_CA_CERTS', {
  timeout: 180_000,
}, async () => {
  const port = await freePort()
  const server = await startRedis({
    settings: {
      'tls-port': String(port),
      'tls-cert-file': ca,
      'tls-key-file': join(folder, 'key.pem'),
      'tls-ca-cert-file': ca,
      'tls-auth-clients': 'no',
    },
  })
  try {
    const asked = (env = {}) =>
      oncekey(['doctor', '--json'], { env: { REDIS_URL: `rediss://127.0.0.1:${port}`, ...env } })
    expect((await asked()).stderr).toContain('self-signed certificate')
    expect(JSON.parse((await asked({ NODE_EXTRA_CA_CERTS: ca })).stdout)).toBeDefined()
  } finally {
    await server.stop()
  }
})

/** Restarts the server with the certificate, and lets nobody in without TLS. */
async function offerTls(server: PostgresServer, url: string): Promise<void> {
  const client = new pg.Client(server.url)
  await client.connect()
  await client.query('alter system set ssl = on')
  await client.end()
  await server.restart(async (dataDir) => {
    const { uid, gid } = statSync(dataDir)
    const write = (name: string, text: string) => {
      const file = join(dataDir, name)
      writeFileSync(file, text)
      chmodSync(file, 0o600)
      chownSync(file, uid, gid)
    }
    write('server.crt', cert)
    write('server.key', key)
    write(
      'pg_hba.conf',
      `hostssl ${new URL(url).pathname.slice(1)} all all scram-sha-256\nhost postgres all all scram-sha-256\n`,
    )
  })
}
