import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Daemon, startDaemon } from './daemon.ts'
import { freePort } from './free-port.ts'
import { findRedis } from './redis-binary.ts'
import { waitFor } from './wait-for.ts'
import { watch } from './watchdog.ts'

export interface RedisOptions {
  /** Lines of redis.conf. By default nothing is written to disk. */
  settings?: Record<string, string>
  /** @default 'server' */
  role?: 'server' | 'sentinel'
}

export interface RedisServer {
  url: string
  port: number
  /** The folder of this server's files; `stop` removes it. */
  folder: string
  /** The pid, which changes with each restart. */
  pid(): number
  /** Its latest log output. */
  log(): string
  /** Runs `redis-cli` on it: `cli('config', 'get', 'maxmemory')`. */
  cli(...args: string[]): Promise<string>
  /** SIGKILL; resolves once the process is gone. */
  crash(): Promise<void>
  /** Starts it again with the same port, settings and files; a running server is killed first. */
  restart(): Promise<void>
  /** SIGSTOP: connections stay open, and nothing is answered. */
  pause(): void
  resume(): void
  /** Ends it and removes everything it has written. */
  stop(): Promise<void>
}

const LOG_KEPT = 256 * 1024

/**
 * Starts a Redis of our own on a free port of 127.0.0.1, with its files in a new temporary folder.
 */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const binary = await findRedis()
  const folder = mkdtempSync(join(tmpdir(), 'oncekey-redis-'))
  const unwatch = watch({ folder })
  const remove = (): void => {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
    unwatch()
  }
  try {
    return await startSomewhere(binary, folder, options, remove)
  } catch (error) {
    remove()
    throw error
  }
}

async function startSomewhere(
  binary: string,
  folder: string,
  options: RedisOptions,
  remove: () => void,
  attempts = 5,
): Promise<RedisServer> {
  const port = await freePort()
  const server = serve(binary, folder, port, options, remove)
  try {
    await server.restart()
    return server
  } catch (error) {
    // Another process got the same port first.
    if (attempts === 1 || !server.log().includes('Address already in use')) throw error
    return startSomewhere(binary, folder, options, remove, attempts - 1)
  }
}

function serve(
  binary: string,
  folder: string,
  port: number,
  { settings = {}, role = 'server' }: RedisOptions,
  remove: () => void,
): RedisServer {
  const file = join(folder, 'redis.conf')
  writeFileSync(file, confOf({ ...settingsFor(role), port: `${port}`, dir: folder, ...settings }))
  let running: Daemon | undefined
  let stopped = false
  let log = ''

  const cli = async (...args: string[]): Promise<string> => {
    const { stdout } = await promisify(execFile)('redis-cli', ['-p', `${port}`, ...args])
    return stdout.trimEnd()
  }
  const end = async (): Promise<void> => {
    const ending = running
    running = undefined
    await ending?.end()
  }
  const mustRun = (): Daemon => {
    if (!running) throw new Error('This Redis is not running')
    return running
  }

  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    folder,
    pid: () => mustRun().pid,
    log: () => log,
    cli,
    crash: end,
    restart: async () => {
      if (stopped) throw new Error('This Redis was stopped for good')
      await end()
      const sentinel = role === 'sentinel' ? ['--sentinel'] : []
      const started = startDaemon(binary, [file, ...sentinel], { cwd: folder }, (text) => {
        log = (log + text).slice(-LOG_KEPT)
      })
      try {
        await waitFor(async () => started.isGone() || (await cli('ping')) === 'PONG', {
          what: 'Redis to take commands',
          timeoutMs: 30_000,
        })
        if (started.isGone()) throw new Error('Redis ended while it started')
      } catch (cause) {
        await started.end()
        throw new Error(`Redis did not start on port ${port}. Its log:\n${log}`, { cause })
      }
      running = started
    },
    pause: () => void process.kill(mustRun().pid, 'SIGSTOP'),
    resume: () => void process.kill(mustRun().pid, 'SIGCONT'),
    stop: async () => {
      if (stopped) return
      stopped = true
      await end()
      remove()
    },
  }
}

function settingsFor(role: 'server' | 'sentinel'): Record<string, string> {
  const everywhere = { bind: '127.0.0.1', 'protected-mode': 'no' }
  return role === 'sentinel' ? everywhere : { ...everywhere, save: '""', appendonly: 'no' }
}

function confOf(settings: Record<string, string>): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name} ${value}\n`)
    .join('')
}
