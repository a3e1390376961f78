import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Daemon, startDaemon } from './daemon.ts'
import { freePort } from './free-port.ts'
import { findProgram } from './program.ts'
import { waitFor } from './wait-for.ts'
import { watch } from './watchdog.ts'

export interface NatsServer {
  url: string
  port: number
  /** The folder of this server's streams; `stop` removes it. */
  folder: string
  pid(): number
  log(): string
  /** SIGKILL; resolves once the process is gone. */
  crash(): Promise<void>
  /** Starts it again on the same port with the same streams; a running server is killed first. */
  restart(): Promise<void>
  stop(): Promise<void>
}

const LOG_KEPT = 64 * 1024

export interface NatsOptions {
  /** What to put in its configuration file, such as users and their permissions. */
  readonly config?: string
}

/**
 * Starts a NATS server with JetStream on a free port of 127.0.0.1, with its streams in a new
 * temporary folder.
 */
export async function startNats({ config = '' }: NatsOptions = {}): Promise<NatsServer> {
  const binary = await findProgram({
    program: 'nats-server',
    debianPackage: 'nats-server',
    missing: MISSING,
  })
  const folder = mkdtempSync(join(tmpdir(), 'oncekey-nats-'))
  const file = join(folder, 'nats.conf')
  writeFileSync(file, config)
  const unwatch = watch({ folder })
  const port = await freePort()
  let running: Daemon | undefined
  let log = ''

  const crash = async (): Promise<void> => {
    const ending = running
    running = undefined
    await ending?.end()
  }
  const server: NatsServer = {
    url: `nats://127.0.0.1:${port}`,
    port,
    folder,
    pid: () => {
      if (!running) throw new Error('This NATS server is not running')
      return running.pid
    },
    log: () => log,
    crash,
    restart: async () => {
      await crash()
      const started = startDaemon(
        binary,
        ['-c', file, '-a', '127.0.0.1', '-p', `${port}`, '-js', '-sd', folder],
        {},
        (text) => {
          log = (log + text).slice(-LOG_KEPT)
        },
      )
      try {
        await waitFor(() => started.isGone() || isOpen(port), {
          what: 'NATS to listen',
          timeoutMs: 30_000,
        })
        if (started.isGone()) throw new Error('NATS ended while it started')
      } catch (cause) {
        await started.end()
        throw new Error(`NATS did not start on port ${port}. Its log:\n${log}`, { cause })
      }
      running = started
    },
    stop: async () => {
      await crash()
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
      unwatch()
    },
  }
  try {
    await server.restart()
  } catch (error) {
    await server.stop()
    throw error
  }
  return server
}

async function isOpen(port: number): Promise<boolean> {
  const socket = connect({ port, host: '127.0.0.1' })
  try {
    // The server sends the first bytes.
    await once(socket, 'data')
    return true
  } finally {
    socket.destroy()
  }
}

const MISSING = `These tests run on a real NATS, and there is no nats-server on PATH. Install version 2.9 or newer:
  Debian, Ubuntu   sudo apt-get install nats-server
  macOS            brew install nats-server`
