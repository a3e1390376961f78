import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from 'pg'
import { startDaemon } from './daemon.ts'
import { freePort } from './free-port.ts'
import { findPgBouncer } from './pgbouncer-binary.ts'
import { type Identity, unprivileged, unprivilegedFolder } from './unprivileged.ts'
import { waitFor } from './wait-for.ts'
import { watch } from './watchdog.ts'

export interface PgBouncerOptions {
  /** Lines of the section `[pgbouncer]`. By default it pools by transaction. */
  settings?: Record<string, string>
  /** A statement that the pooler sends in each session that it opens. */
  connectQuery?: string
}

export interface PgBouncer {
  port: number
  /**
   * Returns `url`, which names any database of the pooler's server, with the pooler's host and
   * port.
   */
  through(url: string): string
  /** Its latest log output. */
  log(): string
  /** Ends it and removes its files. */
  stop(): Promise<void>
}

const LOG_KEPT = 256 * 1024

/**
 * Starts a PgBouncer of our own before the server of `url`, and signs in with its user and
 * password: on a free port of 127.0.0.1, with its files in a new temporary folder.
 *
 * It pools by transaction and gives connections out in turn, so that a client that relies on
 * getting the same one again fails soon.
 */
export async function startPgBouncer(
  url: string,
  { settings = {}, connectQuery }: PgBouncerOptions = {},
): Promise<PgBouncer> {
  const binary = await findPgBouncer()
  // Like Postgres it refuses to run as root.
  const identity = unprivileged()
  const folder = unprivilegedFolder('oncekey-pgbouncer-', identity)
  const unwatch = watch({ folder })
  const remove = (): void => {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
    unwatch()
  }
  try {
    return await startSomewhere({ binary, identity, folder, url, settings, connectQuery, remove })
  } catch (error) {
    remove()
    throw error
  }
}

interface Wanted {
  binary: string
  identity: Identity
  folder: string
  url: string
  settings: Record<string, string>
  connectQuery: string | undefined
  remove(): void
}

async function startSomewhere(wanted: Wanted, attempts = 5): Promise<PgBouncer> {
  const { binary, identity, folder, url, remove } = wanted
  const port = await freePort()
  const through = (other: string): string =>
    Object.assign(new URL(other), { hostname: '127.0.0.1', port: `${port}` }).href
  const conf = join(folder, 'pgbouncer.ini')
  writeFileSync(conf, confOf(wanted, port))
  let log = ''
  const running = startDaemon(binary, [conf], { ...identity, cwd: folder }, (text) => {
    log = (log + text).slice(-LOG_KEPT)
  })
  try {
    await waitFor(() => running.isGone() || answers(through(url)), {
      what: 'PgBouncer to take connections',
      timeoutMs: 30_000,
    })
    if (running.isGone()) throw new Error('PgBouncer ended while it started')
  } catch (cause) {
    await running.end()
    // Another process got the same port first.
    const taken = log.includes('Address already in use')
    if (taken && attempts > 1) return startSomewhere(wanted, attempts - 1)
    throw new Error(`PgBouncer did not start on port ${port}. Its log:\n${log}`, {
      cause,
    })
  }
  let stopped = false
  return {
    port,
    through,
    log: () => log,
    stop: async () => {
      if (stopped) return
      stopped = true
      await running.end()
      remove()
    },
  }
}

async function answers(url: string): Promise<boolean> {
  const client = new Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  try {
    await client.query('select 1')
    return true
  } finally {
    await client.end()
  }
}

function confOf({ url, settings, connectQuery }: Wanted, port: number): string {
  const { hostname, port: serverPort, username, password } = new URL(url)
  const server = { host: hostname, port: serverPort, user: username, password }
  const pgbouncer = {
    listen_addr: '127.0.0.1',
    listen_port: `${port}`,
    unix_socket_dir: '',
    // It accepts every client, and signs in as the user of `url`.
    auth_type: 'any',
    pool_mode: 'transaction',
    server_round_robin: '1',
    ...settings,
  }
  const lines = Object.entries(pgbouncer).map(([name, value]) => `${name} = ${value}\n`)
  const signIn = Object.entries(server).map(
    ([name, value]) => `${name}=${decodeURIComponent(value)}`,
  )
  if (connectQuery !== undefined) signIn.push(`connect_query='${connectQuery}'`)
  return `[databases]\n* = ${signIn.join(' ')}\n[pgbouncer]\n${lines.join('')}`
}
