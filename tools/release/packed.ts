import { execFile } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface Manifest {
  readonly name: string
  readonly version: string
  readonly license?: string
  readonly repository?: unknown
  readonly homepage?: unknown
  readonly scripts?: Readonly<Record<string, string>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

/** A package as it would be published. */
export interface Packed {
  readonly tarball: string
  readonly manifest: Manifest
  readonly files: readonly string[]
  /** The size of the tarball. */
  readonly bytes: number
  readonly unpackedBytes: number
}

/** Packs every package into `folder`, as publishing does, and unpacks the tarballs. */
export async function packAll(folder: string): Promise<Packed[]> {
  const pack = ['--recursive', '--filter', './packages/*', 'pack', '--pack-destination', folder]
  await run('pnpm', pack)
  const tarballs = readdirSync(folder).filter((name) => name.endsWith('.tgz'))
  return Promise.all(tarballs.sort().map((name) => readPacked(folder, name)))
}

async function readPacked(folder: string, name: string): Promise<Packed> {
  const tarball = join(folder, name)
  const unpacked = join(folder, name.replace(/\.tgz$/, ''))
  mkdirSync(unpacked)
  await run('tar', ['-xzf', tarball, '-C', unpacked, '--strip-components=1'])
  const files = readdirSync(unpacked, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
  return {
    tarball,
    manifest: JSON.parse(readFileSync(join(unpacked, 'package.json'), 'utf8')),
    files: files.map((file) => file.slice(unpacked.length + 1)).sort(),
    bytes: statSync(tarball).size,
    unpackedBytes: files.reduce((sum, file) => sum + statSync(file).size, 0),
  }
}
