import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { usageError } from '../command/cli-error.ts'

/** Nest comes first, because an application of Nest may have Express or Fastify beside it. */
export const FRAMEWORKS = ['nest', 'express', 'fastify', 'hono', 'koa', 'next'] as const
export const STORES = ['postgres', 'redis', 'memory'] as const

export type Framework = (typeof FRAMEWORKS)[number]
export type StoreKind = (typeof STORES)[number]

/** What `oncekey init` needs to know of a project, so that the files it writes fit in. */
export interface Project {
  readonly framework: Framework
  readonly store: StoreKind
  readonly isTypeScript: boolean
  /** Whether `.js` and `.ts` files are ES modules, so that no `.mjs` or `.mts` is needed. */
  readonly isModule: boolean
  readonly testRunner: 'vitest' | 'node:test'
  /** The folder for the files: `src` if the project has it, otherwise its root. */
  readonly folder: string
  /** Returns those of the packages that package.json does not have yet. */
  missing(packages: readonly string[]): string[]
}

/** Reads all this from package.json and the folder; values in `given` take precedence. */
export function projectIn(
  folder: string,
  given: { readonly framework: string | undefined; readonly store: string | undefined },
): Project {
  const { type, ...manifest } = manifestIn(folder)
  const installed = new Set(
    [manifest.dependencies, manifest.devDependencies].flatMap((of) => Object.keys(of ?? {})),
  )
  const framework =
    FRAMEWORKS.find((each) => each === given.framework) ??
    FRAMEWORKS.find((each) => installed.has(each === 'nest' ? '@nestjs/core' : each))
  if (framework === undefined) {
    throw usageError(
      `package.json has none of ${FRAMEWORKS.join(', ')}: write --framework with one of them, or see the docs for others.`,
    )
  }
  const found = installed.has('pg') ? 'postgres' : installed.has('ioredis') ? 'redis' : 'memory'
  return {
    framework,
    store: STORES.find((each) => each === given.store) ?? found,
    // Nest is written in TypeScript, for its decorators.
    isTypeScript:
      framework === 'nest' ||
      installed.has('typescript') ||
      existsSync(join(folder, 'tsconfig.json')),
    isModule: type === 'module',
    testRunner: installed.has('vitest') ? 'vitest' : 'node:test',
    folder: existsSync(join(folder, 'src')) ? 'src' : '.',
    missing: (packages) => packages.filter((name) => !installed.has(name)),
  }
}

interface Manifest {
  readonly type?: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
}

function manifestIn(folder: string): Manifest {
  const path = join(folder, 'package.json')
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Manifest
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? 'it is not JSON'
    throw usageError(
      `${path} could not be read (${why}): run this in the folder of your application.`,
    )
  }
}
