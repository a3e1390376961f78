import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Manifest } from './packed.ts'

/**
 * Writes a bill of materials (CycloneDX) for each package into `folder`, with everything that is
 * installed with the package. Returns the number of components by package.
 */
export async function writeBills(
  folder: string,
  manifests: readonly Manifest[],
): Promise<ReadonlyMap<string, number>> {
  mkdirSync(folder, { recursive: true })
  const args = ['--prod', '--split', '--lockfile-only', '--sbom-format', 'cyclonedx']
  await promisify(execFile)('pnpm', [
    ...['--filter', './packages/*', 'sbom'],
    ...args,
    ...['--out', join(folder, '%s-%v.json')],
  ])
  return new Map(
    manifests.map(({ name, version }) => {
      const file = `${name.replace('@', '').replace('/', '-')}-${version}.json`
      const { components } = JSON.parse(readFileSync(join(folder, file), 'utf8'))
      return [name, components.length]
    }),
  )
}
