import { statSync } from 'node:fs'
import { join } from 'node:path'
import { command, ownProgram } from './command.ts'
import { everyPackage, workspace } from './packages.ts'

/** A package as it would be published. */
export interface Tarball {
  readonly name: string
  readonly path: string
  readonly bytes: number
}

/** Builds every package and packs it into `folder`, as publishing does. */
export async function packEveryPackage(folder: string): Promise<Tarball[]> {
  await command(ownProgram('tsdown'), [], { cwd: workspace })
  await command(
    'pnpm',
    ['--recursive', '--filter', './packages/*', 'pack', '--pack-destination', folder],
    { cwd: workspace },
  )
  return everyPackage().map(({ manifest: { name, version } }) => {
    const path = join(folder, `${name.replace('@', '').replace('/', '-')}-${version}.tgz`)
    return { name, path, bytes: statSync(path).size }
  })
}
