import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { command } from './command.ts'
import type { Consumer } from './consumer.ts'
import { typescriptCompiler } from './npm-program.ts'

export interface Typechecked {
  readonly files: readonly string[]
  readonly resolution: 'nodenext' | 'bundler'
  /** A version such as `5.4`. @default the workspace's own, the newest */
  readonly compiler?: string
  /** Compiler options that differ from the strict ones. */
  readonly settings?: Readonly<Record<string, unknown>>
}

/** Typechecks files of a consumer with the strictest settings, including the packages they use. */
export async function typecheck(consumer: Consumer, wanted: Typechecked): Promise<void> {
  const { files, resolution, compiler, settings = {} } = wanted
  const compilerOptions = {
    target: 'es2023',
    lib: ['es2023'],
    types: ['node'],
    module: resolution === 'nodenext' ? 'nodenext' : 'esnext',
    moduleResolution: resolution,
    noEmit: true,
    strict: true,
    skipLibCheck: false,
    // TypeScript's own library files.
    skipDefaultLibCheck: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noImplicitOverride: true,
    isolatedModules: true,
    allowImportingTsExtensions: true,
    ...settings,
  }
  const project = `tsconfig.${files[0]}.json`
  consumer.write(project, JSON.stringify({ compilerOptions, files }))
  const faults = await errorsOf(consumer, [
    compiler === undefined ? ownCompiler() : await typescriptCompiler(compiler),
    '--project',
    project,
    '--pretty',
    'false',
  ])
  // Errors in the declarations of other packages are left out: with `skipLibCheck` off the compiler
  // reports these as well.
  const ours = faults.filter((line) => !/^\S*node_modules\/(?!\S*@oncekey)/.test(line))
  if (ours.length > 0)
    throw new Error(
      `TypeScript ${compiler ?? 'of the workspace'}, ${resolution}:\n${ours.join('\n')}`,
    )
}

async function errorsOf(consumer: Consumer, args: string[]): Promise<string[]> {
  try {
    await command(process.execPath, args, { cwd: consumer.folder })
    return []
  } catch (error) {
    const errors = (error as Error).message.split('\n').filter((line) => /error TS\d+/.test(line))
    // Without a line of that form the compiler did not run, so the error is passed on.
    if (errors.length === 0) throw error
    return errors
  }
}

function ownCompiler(): string {
  const manifest = createRequire(import.meta.url).resolve('typescript/package.json')
  const { bin } = JSON.parse(readFileSync(manifest, 'utf8'))
  return join(dirname(manifest), bin.tsc)
}

/** A module that re-exports everything of `entries`, so that all of it is checked. */
export function exportsOf(entries: readonly string[]): string {
  return entries.map((entry, at) => `export * as entry${at} from '${entry}'\n`).join('')
}

/** The same as a CommonJS module. */
export function requiresOf(entries: readonly string[]): string {
  const names = entries.map((_, at) => `entry${at}`)
  const imports = entries.map((entry, at) => `import entry${at} = require('${entry}')\n`).join('')
  return `${imports}export = { ${names.join(', ')} }\n`
}
