import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { bundled } from './bundled.ts'
import { waitFor } from './wait-for.ts'
import { watch } from './watchdog.ts'

export interface NodeOptions {
  args?: string[]
  /** Variables added to those of this process; `undefined` removes one. */
  env?: Record<string, string | undefined>
  cwd?: string
  /** @default 30_000 */
  readyTimeoutMs?: number
}

export interface Exit {
  code: number | null
  signal: NodeJS.Signals | null
}

export interface Child<Ready> {
  pid: number
  /** The line of JSON with which the child reported that it is ready. */
  ready: Ready
  /** @default 'SIGKILL' */
  kill(signal?: NodeJS.Signals): void
  exited: Promise<Exit>
  /** All lines of stdout and stderr so far. */
  output(): string
  /** The first line, past or future, that matches; rejects if the child ends without one. */
  waitForLine(predicate: (line: string) => boolean, timeoutMs?: number): Promise<string>
}

/**
 * Runs a TypeScript file in a Node process of its own, and waits until it prints a line of JSON
 * with `"ready":true`. A child that still runs when this process ends is killed.
 *
 * @example
 * const server = await startNode<{ port: number }>(new URL('./server.ts', import.meta.url))
 * server.kill()
 * await server.exited
 */
export async function startNode<Ready = unknown>(
  script: string | URL,
  options: NodeOptions = {},
): Promise<Child<Ready>> {
  const path = script instanceof URL ? fileURLToPath(script) : script
  const child = spawnNode(path, await bundled(path), options)
  const { readyTimeoutMs = 30_000 } = options
  try {
    const line = await child.waitForLine((text) => readyIn(text) !== undefined, readyTimeoutMs)
    return { ...child, ready: readyIn(line) as Ready }
  } catch (error) {
    child.kill()
    throw error
  }
}

function spawnNode(
  path: string,
  bundle: string,
  { args = [], env = {}, cwd }: NodeOptions,
): Omit<Child<never>, 'ready'> {
  const child = spawn(process.execPath, ['--enable-source-maps', bundle, ...args], {
    env: { ...process.env, ...env },
    ...(cwd !== undefined && { cwd }),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const { pid } = child
  if (pid === undefined) throw new Error(`No process could be started for ${path}`)
  const unwatch = watch({ process: { pid, signal: 'SIGKILL' } })
  const lines = collectLines([child.stdout, child.stderr])
  const exited = new Promise<Exit>((resolve) => {
    child.once('exit', (code, signal) => {
      unwatch()
      resolve({ code, signal })
    })
  })
  return {
    pid,
    kill: (signal = 'SIGKILL') => void child.kill(signal),
    exited,
    output: () => lines.all.join('\n'),
    waitForLine: (predicate, timeoutMs = 10_000) => lines.first(predicate, timeoutMs, path),
  }
}

function readyIn(line: string): unknown {
  try {
    const value = JSON.parse(line)
    return value?.ready === true ? value : undefined
  } catch {
    return undefined
  }
}

interface Lines {
  all: string[]
  first(predicate: (line: string) => boolean, timeoutMs: number, who: string): Promise<string>
}

function collectLines(streams: Readable[]): Lines {
  const all: string[] = []
  let open = streams.length
  for (const input of streams) {
    const lines = createInterface({ input })
    lines.on('line', (line) => all.push(line))
    lines.on('close', () => {
      open -= 1
    })
  }
  return {
    all,
    first: async (predicate, timeoutMs, who) => {
      try {
        const { line } = await waitFor(
          () => {
            const ended = open === 0
            const line = all.find(predicate)
            return (line !== undefined || ended) && { line }
          },
          { what: 'a line of output', timeoutMs },
        )
        if (line === undefined) throw new Error('It ended')
        return line
      } catch (cause) {
        throw new Error(`${who} did not print the line awaited, but:\n${all.join('\n')}`, { cause })
      }
    },
  }
}
