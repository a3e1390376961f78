import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { command } from '../../../tests/packaging/src/command.ts'
import { manifestIn, workspace } from '../../../tests/packaging/src/packages.ts'
import { packEveryPackage } from '../../../tests/packaging/src/tarballs.ts'
import type { Bench } from '../bench.ts'
import { median } from '../median.ts'
import type { Cell } from '../report.ts'
import { interleaved } from '../rounds.ts'

/** How long a process takes to load the packages, as they are installed from npm. */
export const importBench: Bench = {
  name: 'import',
  about: 'importing Express with Postgres from packed packages, beside express and pg themselves',
  // It builds, packs and installs the packages first.
  onlyByName: true,

  async run({ rounds }) {
    const folder = mkdtempSync(join(tmpdir(), 'oncekey-import-'))
    try {
      const project = await installed(folder)
      const names = Object.keys(IMPORTS) as Imported[]
      const samples = await interleaved(
        rounds,
        names.map((name) => {
          const script = join(project, `${name.replaceAll(/\W+/g, '-')}.mjs`)
          writeFileSync(script, scriptOf(IMPORTS[name]))
          return () => startOf(script, project)
        }),
      )
      const [bare = []] = samples
      const added = (name: Imported, of: 'wallMs' | 'cpuMs') => {
        const own = samples[names.indexOf(name)] ?? []
        return median(own.map((sample, round) => sample[of] - (bare[round]?.[of] ?? Number.NaN)))
      }
      return {
        tables: [
          {
            title: `Milliseconds from the start of Node to its last line, ${rounds} starts each`,
            columns: ['imported', 'elapsed', 'added', 'processor', 'added'],
            rows: names.map((name, at): Cell[] => {
              const own = samples[at] ?? []
              return [
                name,
                median(own.map(({ wallMs }) => wallMs)),
                added(name, 'wallMs'),
                median(own.map(({ cpuMs }) => cpuMs)),
                added(name, 'cpuMs'),
              ]
            }),
          },
        ],
        budgets: [
          {
            what: `ms that ${OURS} add to the start of Node`,
            bound: 'at most',
            limit: 40,
            measured: added(OURS, 'wallMs'),
          },
        ],
        notes: [
          'What is added is the median of the differences to the bare start in the same round. The files are in the cache of the system.',
        ],
      }
    } finally {
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
    }
  },
}

const OURS = '@oncekey/express and @oncekey/postgres'

const IMPORTS = {
  nothing: [],
  [OURS]: ['@oncekey/express', '@oncekey/postgres'],
  express: ['express'],
  pg: ['pg'],
  'express and pg': ['express', 'pg'],
  'all four': ['express', 'pg', '@oncekey/express', '@oncekey/postgres'],
} as const

type Imported = keyof typeof IMPORTS

function scriptOf(specifiers: readonly string[]): string {
  const imports = specifiers.map((specifier) => `import '${specifier}'\n`).join('')
  return `${imports}console.log(JSON.stringify([performance.now(), process.cpuUsage()]))\n`
}

interface Start {
  readonly wallMs: number
  readonly cpuMs: number
}

async function startOf(script: string, cwd: string): Promise<Start> {
  const printed = await command(process.execPath, [script], { cwd })
  const [wallMs, { user, system }] = JSON.parse(printed) as [number, NodeJS.CpuUsage]
  return { wallMs, cpuMs: (user + system) / 1000 }
}

/** Builds and packs all packages, and installs what the imports need. Returns the project. */
async function installed(folder: string): Promise<string> {
  const inside = (name: string): string => {
    mkdirSync(join(folder, name))
    return join(folder, name)
  }
  const tarballs = await packEveryPackage(inside('tarballs'))
  const project = inside('project')
  const ours = Object.fromEntries(tarballs.map(({ name, path }) => [name, `file:${path}`]))
  const dependencies = {
    express: versionFor('express', 'express'),
    pg: versionFor('postgres', 'pg'),
    '@oncekey/express': ours['@oncekey/express'],
    '@oncekey/postgres': ours['@oncekey/postgres'],
  }
  const manifest = { name: 'project', private: true, type: 'module', dependencies }
  writeFileSync(join(project, 'package.json'), JSON.stringify(manifest))
  // Resolves a dependency on another of our packages to its tarball as well. (JSON is YAML.)
  writeFileSync(
    join(project, 'pnpm-workspace.yaml'),
    JSON.stringify({ overrides: ours, autoInstallPeers: false }),
  )
  await command('pnpm', ['install', '--prefer-offline', '--no-frozen-lockfile'], { cwd: project })
  return project
}

/** The version that the workspace's package is tested with. */
function versionFor(folder: string, dependency: string): string {
  return manifestIn(join(workspace, 'packages', folder, 'node_modules', dependency)).version
}
