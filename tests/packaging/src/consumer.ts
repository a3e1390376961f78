import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { command } from './command.ts'
import { everyPackage, manifestIn, type Package, workspace } from './packages.ts'
import type { Tarball } from './tarballs.ts'

/** A user's project, into which the tarballs are installed. */
export interface Consumer {
  readonly folder: string
  write(path: string, text: string): void
  /** The folder of an installed package, with everything that its tarball holds. */
  packageFolder(name: string): string
  /** The paths of all files of an installed package, relative to its folder. */
  filesOf(name: string): string[]
}

/**
 * Installs every tarball into a new project in `folder`. pnpm isolates packages, so a package finds
 * only dependencies that it declares.
 *
 * With `peers: 'all'` the project has every peer dependency, in the version that the workspace is
 * tested with; with `'required'` it lacks the optional ones.
 */
export async function installConsumer(
  folder: string,
  tarballs: readonly Tarball[],
  { peers }: { peers: 'all' | 'required' },
): Promise<Consumer> {
  const own = Object.fromEntries(tarballs.map(({ name, path }) => [name, `file:${path}`]))
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  const manifest = {
    name: 'consumer',
    private: true,
    type: 'module',
    // Our tarballs come last, because some of our packages are also peer dependencies of others.
    dependencies: { ...peersOf(everyPackage(), peers), ...tools(), ...own },
  }
  write('package.json', JSON.stringify(manifest, null, 2))
  // Resolves a dependency on another of our packages to its tarball as well. (JSON is YAML.)
  write(
    'pnpm-workspace.yaml',
    JSON.stringify({
      overrides: own,
      autoInstallPeers: false,
      verifyDepsBeforeRun: false,
      // Of `@google-cloud/pubsub`. pnpm asks about its install script, which nothing needs.
      allowBuilds: { protobufjs: false },
    }),
  )
  await command('pnpm', ['install', '--prefer-offline', '--no-frozen-lockfile'], { cwd: folder })
  const peerIssues = await command('pnpm', ['peers', 'check'], { cwd: folder }).catch(
    (error: Error) => error.message,
  )
  // Peer conflicts among other packages do not concern us.
  if (peerIssues.includes('@oncekey/')) throw new Error(peerIssues)

  const packageFolder = (name: string): string => join(folder, 'node_modules', name)
  return {
    folder,
    write,
    packageFolder,
    filesOf: (name) =>
      readdirSync(packageFolder(name), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(packageFolder(name).length + 1))
        .filter((path) => !path.startsWith('node_modules')),
  }
}

function peersOf(packages: readonly Package[], which: 'all' | 'required'): Record<string, string> {
  return Object.fromEntries(
    packages.flatMap(({ folder, manifest }) => {
      const { peerDependencies = {}, peerDependenciesMeta = {}, devDependencies = {} } = manifest
      return Object.keys(peerDependencies)
        .filter((peer) => which === 'all' || !peerDependenciesMeta[peer]?.optional)
        .flatMap((peer) => [peer, `@types/${peer}`])
        .filter((name) => name in devDependencies)
        .map((name) => [name, installedVersion(join(workspace, 'packages', folder), name)])
    }),
  )
}

/** The files of every TypeScript project. */
function tools(): Record<string, string> {
  return {
    '@types/node': installedVersion(workspace, '@types/node'),
    typescript: installedVersion(workspace, 'typescript'),
  }
}

function installedVersion(folder: string, name: string): string {
  return manifestIn(join(folder, 'node_modules', name)).version
}
