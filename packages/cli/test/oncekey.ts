import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

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

/** Starts the program without waiting for its end. */
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

/** The arguments of `node` that run the program. */
export const nodeArgs: readonly string[] = [await bundled()]

/**
 * Bundles the program into one file, anew for each test file. Its sources are several hundred
 * modules, which take a second and a half to load one by one, and these tests start it some four
 * hundred times.
 */
async function bundled(): Promise<string> {
  const root = fileURLToPath(new URL('../node_modules/.cache/', import.meta.url))
  mkdirSync(root, { recursive: true })
  // The folder is inside the package, because the program reads its version from package.json.
  const folder = mkdtempSync(join(root, 'oncekey-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const outfile = join(folder, 'oncekey.mjs')
  const require = "import { createRequire as requireOf } from 'node:module'"
  await build({
    entryPoints: [fileURLToPath(new URL('../bin/oncekey.js', import.meta.url))],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20.19',
    format: 'esm',
    // Some dependencies are CommonJS and require Node's modules.
    banner: { js: `${require}; const require = requireOf(import.meta.url);` },
    external: ['pg-native'],
    // Beside the file: Node would read and decode a map inside it at each start.
    sourcemap: true,
    sourcesContent: false,
    // Errors are recognised by the names of their classes.
    keepNames: true,
  })
  return outfile
}

/** An environment in which nothing names a server or a colour. */
export function bareEnv(): NodeJS.ProcessEnv {
  const { PATH, HOME } = process.env
  return { PATH, HOME }
}
