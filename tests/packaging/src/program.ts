import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { waitFor } from '@oncekey/test-servers'
import { cleanEnv } from './command.ts'

/** A server that a user wrote, running on a chosen Node or another runtime. */
export interface ServerProgram {
  stop(): Promise<void>
}

export interface ServerOptions {
  readonly cwd: string
  readonly env: Record<string, string> & { readonly PORT: string }
  /** @default 30_000 */
  readonly readyTimeoutMs?: number
}

/** Starts a script that listens on `env.PORT`, and waits until it accepts requests. */
export async function startServer(
  { binary, args = [] }: { readonly binary: string; readonly args?: readonly string[] },
  script: string,
  { cwd, env, readyTimeoutMs = 30_000 }: ServerOptions,
): Promise<ServerProgram> {
  const child = spawn(binary, [...args, script], {
    cwd,
    env: { ...cleanEnv(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  let hasEnded = false
  const ended = once(child, 'exit').then(() => {
    hasEnded = true
  })
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL')
    await ended
  }
  try {
    const state = await waitFor(
      async () =>
        hasEnded ? 'ended' : await fetch(`http://127.0.0.1:${env.PORT}/`).then(() => 'up'),
      { what: `${script} to listen`, timeoutMs: readyTimeoutMs },
    )
    if (state === 'ended') throw new Error('It ended')
  } catch (cause) {
    await stop()
    throw new Error(`${script} did not start on ${binary}:\n${output}`, { cause })
  }
  return { stop }
}
