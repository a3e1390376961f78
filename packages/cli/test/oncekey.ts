import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'

export interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs the program as a person does, in a process of its own, to its end. */
export async function oncekey(
  args: readonly string[],
  { env = {}, input = '' }: { env?: Record<string, string>; input?: string } = {},
): Promise<Ran> {
  const child = startOncekey(args, env)
  child.stdin.end(input)
  return await ended(child)
}

/** The same, still running. */
export function startOncekey(
  args: readonly string[],
  env: Record<string, string> = {},
): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, [...nodeArgs, ...args], { env: { ...bareEnv(), ...env } })
}

export async function ended(child: ChildProcessWithoutNullStreams): Promise<Ran> {
  const chunks = { stdout: [] as Buffer[], stderr: [] as Buffer[] }
  child.stdout.on('data', (chunk) => chunks.stdout.push(chunk))
  child.stderr.on('data', (chunk) => chunks.stderr.push(chunk))
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return {
    code,
    stdout: Buffer.concat(chunks.stdout).toString(),
    stderr: Buffer.concat(chunks.stderr).toString(),
  }
}

/** What is behind `node` on its command line. */
export const nodeArgs: readonly string[] = [
  '--import',
  pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href,
  fileURLToPath(new URL('../bin/oncekey.js', import.meta.url)),
]

/** Nothing of the machine names a server or a colour. */
export function bareEnv(): NodeJS.ProcessEnv {
  const { PATH, HOME } = process.env
  return { PATH, HOME }
}
