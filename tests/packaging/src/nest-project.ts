import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { command } from './command.ts'
import { workspace } from './packages.ts'
import type { Tarball } from './tarballs.ts'

/**
 * A Nest project into which the tarballs are installed in a flat `node_modules`, as npm does it.
 */
export interface NestProject {
  readonly folder: string
  /** Runs a program that the project has installed. */
  run(program: string, ...args: string[]): Promise<string>
  /** Runs a file of an installed package on another Node, with the flag that Jest asks for. */
  runOn(node: string, file: string, ...args: string[]): Promise<string>
  remove(): void
}

/**
 * Installs a project that is tested with Jest, which loads CommonJS, and with Vitest: the files of
 * `nest-project`, Nest of this major version, and the tarballs. The project also gets the contract
 * suite of adapters.
 */
export async function installNestProject(
  major: number,
  tarballs: readonly Tarball[],
): Promise<NestProject> {
  const folder = mkdtempSync(join(tmpdir(), 'oncekey-nest-'))
  const packaging = join(workspace, 'tests', 'packaging')
  cpSync(join(packaging, 'nest-project'), folder, { recursive: true })
  mkdirSync(join(folder, 'contract'))
  cpSync(
    join(workspace, 'packages', 'nestjs', 'test', 'support', 'serve-with-nest.ts'),
    join(folder, 'contract', 'serve-with-nest.ts'),
  )
  writeFileSync(join(folder, 'contract', 'contract.test.ts'), CONTRACT)
  const own = Object.fromEntries(
    tarballs
      .filter(({ name }) => NEEDED.includes(name))
      .map(({ name, path }) => [name, `file:${path}`]),
  )
  const nest = ['common', 'core', 'platform-express', 'platform-fastify', 'testing']
  const dependencies = {
    ...Object.fromEntries(nest.map((name) => [`@nestjs/${name}`, `^${major}.0.0`])),
    ...OTHERS,
    ...own,
  }
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies }))
  writeFileSync(
    join(folder, 'pnpm-workspace.yaml'),
    JSON.stringify({
      overrides: own,
      nodeLinker: 'hoisted',
      autoInstallPeers: false,
      verifyDepsBeforeRun: false,
      strictDepBuilds: false,
    }),
  )
  await command('pnpm', ['install', '--prefer-offline', '--no-frozen-lockfile'], { cwd: folder })
  return {
    folder,
    run: (program, ...args) =>
      command(join(folder, 'node_modules', '.bin', program), args, { cwd: folder }),
    runOn: (node, file, ...args) =>
      command(node, ['--experimental-vm-modules', join(folder, 'node_modules', file), ...args], {
        cwd: folder,
      }),
    remove: () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }),
  }
}

const NEEDED = ['core', 'node', 'fastify', 'nestjs', 'conformance'].map(
  (name) => `@oncekey/${name}`,
)

const OTHERS = {
  '@swc/core': '^1.10.0',
  '@swc/jest': '^0.2.37',
  '@types/jest': '^30.0.0',
  '@types/node': '^20.19.0',
  'class-transformer': '^0.5.1',
  'class-validator': '^0.15.1',
  fastify: '^5.0.0',
  jest: '^30.0.0',
  'reflect-metadata': '^0.2.2',
  rxjs: '^7.8.1',
  typescript: '^5.7.0',
  'unplugin-swc': '^1.5.0',
  vitest: '^4.1.0',
}

const CONTRACT = `import { describeAdapter } from '@oncekey/conformance'
import { serveWithNest } from './serve-with-nest.ts'

describeAdapter({ name: 'Express', serve: serveWithNest('express') })
describeAdapter({ name: 'Fastify', serve: serveWithNest('fastify') })
`
