import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Installed } from '../src/installed.ts'
import { everyPackage, manifestIn, type Package, workspace } from '../src/packages.ts'
import { oldestNode } from '../src/sample.ts'

const sizeLimits: Readonly<Record<string, number>> = JSON.parse(
  readFileSync(join(workspace, 'tools', 'release', 'size-limits.json'), 'utf8'),
)

/** The contents of each tarball, as they lie in `node_modules`. */
export function describeTarballs(installed: () => Installed): void {
  describe.each(everyPackage())('the tarball of $manifest.name', (source) => {
    testTarball(source, installed)
  })

  test('what Express with Postgres needs takes 1.5 MB', () => {
    const { packageFolder } = installed().consumer
    const folders = new Set<string>()
    for (const name of ['@oncekey/express', '@oncekey/postgres']) {
      addWithDependencies(realpathSync(packageFolder(name)), folders)
    }
    const bytes = [...folders].reduce((sum, folder) => sum + bytesIn(folder), 0)
    expect(folders.size).toBeGreaterThan(4)
    expect(bytes).toBeLessThan(1_500_000)
  })
}

/** Adds the folder of an installed package, and those of all that it depends on. */
function addWithDependencies(folder: string, folders: Set<string>): void {
  if (folders.has(folder)) return
  folders.add(folder)
  const manifest = join(folder, 'package.json')
  const { dependencies = {} } = JSON.parse(readFileSync(manifest, 'utf8'))
  const find = createRequire(manifest).resolve
  for (const name of Object.keys(dependencies)) {
    const found = find.paths(name)?.find((path) => existsSync(join(path, name, 'package.json')))
    if (found === undefined) throw new Error(`${name} is not installed for ${folder}`)
    addWithDependencies(realpathSync(join(found, name)), folders)
  }
}

function bytesIn(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.slice(folder.length).startsWith('/node_modules/'))
    .reduce((sum, path) => sum + statSync(path).size, 0)
}

function testTarball(
  { folder, manifest: { name, exports, bin } }: Package,
  installed: () => Installed,
) {
  const packed = () => manifestIn(installed().consumer.packageFolder(name))
  const files = () => installed().consumer.filesOf(name)
  const read = (file: string) =>
    readFileSync(join(installed().consumer.packageFolder(name), file), 'utf8')

  test('states its description, its Node version and its licence', () => {
    const { description, keywords, scripts, ...rest } = packed()
    expect(rest).toMatchObject({
      // The command line has the bare name, for npx.
      name: folder === 'cli' ? 'oncekey' : `@oncekey/${folder}`,
      license: 'MIT',
      author: 'Oncekey contributors',
      type: 'module',
      sideEffects: false,
      engines: { node: `>=${oldestNode.replace(/\.0$/, '')}` },
      publishConfig: { access: 'public' },
    })
    expect(description).toMatch(/^[A-Z].{20,}\.$/)
    expect(keywords?.length).toBeGreaterThanOrEqual(4)
    // A package has no install scripts.
    expect(scripts).toBeUndefined()
  })

  test('holds the build, a README, the licence, rules for alerts, and nothing else', () => {
    expect(files()).toEqual(expect.arrayContaining(['LICENSE', 'README.md', 'dist/index.js']))
    const known =
      /^(dist\/.*\.(js|d\.ts)|monitoring\/(alerts\.yml|grafana\.json)|LICENSE|README\.md|package\.json)$/
    const programs = Object.values(bin ?? {})
    const test = /(^|\/)test\/|\.(test|test-d)\./
    expect(files().filter((file) => !known.test(file) || test.test(file))).toEqual(programs)
    expect(read('LICENSE')).toBe(readFileSync(join(workspace, 'LICENSE'), 'utf8'))
    // It contains no path of the machine that built it.
    expect(files().filter((file) => read(file).includes(workspace))).toEqual([])
    const { bytes = 0 } = installed().tarballs.find((tarball) => tarball.name === name) ?? {}
    // `release:dry-run` would refuse a larger package.
    expect(bytes).toBeLessThan(sizeLimits[name] ?? 0)
  })

  test('has a README that starts with its purpose', ({ skip }) => {
    const built = files().filter((file) => file.startsWith('dist/'))
    if (built.length <= 2) skip('there is nothing in it yet but a place in the workspace')
    expect(read('README.md')).toMatch(new RegExp(`^# ${name}\n\n.{40,}`))
  })

  test('exports the same entries as the workspace, built and with types', () => {
    expect(Object.keys(packed().exports)).toEqual(Object.keys(exports))
    for (const [subpath, target] of Object.entries(packed().exports)) {
      if (subpath === './package.json') continue
      // TypeScript takes the first condition that it knows.
      expect([subpath, Object.keys(target as object)]).toEqual([subpath, ['types', 'default']])
      for (const path of Object.values(target as Record<string, string>)) {
        expect(files()).toContain(path.slice('./'.length))
      }
    }
  })

  test('depends on ranges of published versions', () => {
    const { dependencies = {}, peerDependencies = {} } = packed()
    for (const [dependency, range] of Object.entries({ ...dependencies, ...peerDependencies })) {
      const ours = dependency.startsWith('@oncekey/')
      expect([dependency, range]).toEqual([
        dependency,
        expect.stringMatching(ours ? /^\^\d+\.\d+\.\d+$/ : /^(\^|>=)\d+\./),
      ])
    }
  })
}
