import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'tsdown'
import type { BenchOptions } from './options.ts'
import type { Answer, Verbs } from './verbs.ts'

/** The measured programs, as JavaScript in a folder of their own. */
export interface Programs {
  /** `under` is a command that the process is run under, such as a profiler with its options. */
  start<V extends Verbs>(
    name: string,
    nodeFlags?: readonly string[],
    under?: readonly string[],
  ): Promise<Program<V>>
  remove(): void
}

/** A process of its own that runs verbs on request. */
export interface Program<V extends Verbs> {
  call<Name extends keyof V & string>(
    verb: Name,
    ...given: Parameters<V[Name]>
  ): Promise<Awaited<ReturnType<V[Name]>>>
  readonly pid: number
  stop(): Promise<void>
}

/**
 * Builds `programs/*.ts` as the packages are built for npm. A loader that runs TypeScript is not
 * suitable: tsx has esbuild name every function as it is created, which costs some microseconds a
 * request.
 */
export async function bundlePrograms({
  cpuProf,
}: Pick<BenchOptions, 'cpuProf'>): Promise<Programs> {
  const here = fileURLToPath(new URL('..', import.meta.url))
  const source = join(here, 'src', 'programs')
  mkdirSync(join(here, 'dist'), { recursive: true })
  const outDir = mkdtempSync(join(here, 'dist', 'programs-'))
  await build({
    config: false,
    cwd: here,
    entry: readdirSync(source).map((file) => join(source, file)),
    outDir,
    platform: 'node',
    target: 'node20.19',
    sourcemap: true,
    dts: false,
    fixedExtension: false,
    deps: { alwaysBundle: [/^@oncekey\//] },
    logLevel: 'silent',
  })
  return {
    start: (name, nodeFlags = [], under = []) =>
      startProgram(
        join(outDir, `${name}.js`),
        [
          ...nodeFlags,
          ...(cpuProf === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${cpuProf}`]),
        ],
        [...under, process.execPath],
      ),
    remove: () => rmSync(outDir, { recursive: true, force: true }),
  }
}

async function startProgram<V extends Verbs>(
  path: string,
  flags: readonly string[],
  [execPath = '', ...options]: readonly string[],
): Promise<Program<V>> {
  const child = fork(path, {
    execPath,
    execArgv: [...options, ...flags],
    env: { ...process.env, NODE_ENV: 'production' },
    // The program's stdout goes to stderr; otherwise it would end up among the tables.
    stdio: ['ignore', 2, 2, 'ipc'],
  })
  const ended = once(child, 'exit')
  const waiting = new Map<number, (answer: Answer) => void>()
  let calls = 0
  child.on('message', (answer: Answer) => {
    waiting.get(answer.id)?.(answer)
    waiting.delete(answer.id)
  })
  void ended.then(() => {
    for (const [id, settle] of waiting) settle({ id, error: `${path} ended` })
  })

  return {
    pid: child.pid ?? 0,
    async call(verb, ...given) {
      calls += 1
      const id = calls
      const answered = new Promise<Answer>((settle) => waiting.set(id, settle))
      child.send({ id, verb, given })
      const { value, error } = await answered
      if (error !== undefined) throw new Error(`${verb}: ${error}`)
      return value as never
    },
    async stop() {
      // A profiled program writes its profile when it exits, so it is asked to exit and not killed.
      if (child.connected) child.disconnect()
      await ended
    },
  }
}
