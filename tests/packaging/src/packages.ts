import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The root folder of the workspace. */
export const workspace = fileURLToPath(new URL('../../..', import.meta.url))

/** A package of `packages/`, as its source describes it. */
export interface Package {
  /** The name of its folder. */
  readonly folder: string
  readonly manifest: Manifest
  /** The specifiers that a user imports: `@oncekey/postgres`, `@oncekey/postgres/pglite`. */
  readonly entries: readonly string[]
}

export interface Manifest {
  readonly name: string
  readonly version: string
  readonly description?: string
  readonly keywords?: readonly string[]
  readonly license?: string
  readonly author?: string
  readonly type?: string
  readonly sideEffects?: unknown
  readonly engines?: Readonly<Record<string, string>>
  readonly files?: readonly string[]
  readonly scripts?: Readonly<Record<string, string>>
  readonly exports: Readonly<Record<string, unknown>>
  readonly bin?: Readonly<Record<string, string>>
  readonly publishConfig?: { readonly access?: string; readonly exports?: Record<string, unknown> }
  readonly dependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>
  readonly devDependencies?: Readonly<Record<string, string>>
}

/** Every package in the folder, so that a new one is covered. */
export function everyPackage(): Package[] {
  return readdirSync(join(workspace, 'packages')).map((folder) => {
    const manifest = manifestIn(join(workspace, 'packages', folder))
    const entries = Object.keys(manifest.exports)
      .filter((subpath) => !subpath.endsWith('.json'))
      .map((subpath) => manifest.name + subpath.slice(1))
    return { folder, manifest, entries }
  })
}

export function manifestIn(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
}
