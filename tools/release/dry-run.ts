import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { judge } from './judge.ts'
import { type Packed, packAll } from './packed.ts'
import { writeBills } from './sbom.ts'

// Does everything that a release does except publish: builds and packs the packages, judges the
// tarballs, and prints what would be published. After this program `release:dry-run` runs tests
// that install the tarballs and use them.

const run = promisify(execFile)
const program = (name: string) => join('node_modules', '.bin', name)
const limits = JSON.parse(readFileSync(new URL('size-limits.json', import.meta.url), 'utf8'))
const folder = mkdtempSync(join(tmpdir(), 'oncekey-release-'))

try {
  console.log('Building …')
  await run(program('tsdown'), [])
  const packed = await packAll(folder)
  const { faults, missing } = judge(packed, limits)
  const all = [...faults, ...(await complaints(packed))]
  const bills = await writeBills(
    join(folder, 'sbom'),
    packed.map(({ manifest }) => manifest),
  )
  print(packed, bills)
  for (const one of missing) console.log(`not known yet: ${one}`)
  for (const fault of all) console.error(`FAULT: ${fault}`)
  console.log(all.length === 0 ? '\nIt could be published.' : `\n${all.length} faults.`)
  process.exitCode = all.length === 0 ? 0 : 1
} finally {
  rmSync(folder, { recursive: true })
}

/** The findings of publint and "are the types wrong" about the tarballs. */
async function complaints(packed: readonly Packed[]): Promise<string[]> {
  const found: string[] = []
  for (const { tarball, manifest } of packed) {
    for (const [name, ...args] of [
      ['publint', '--strict', tarball],
      ['attw', '--quiet', '--no-summary', '--profile', 'esm-only', tarball],
    ] as const) {
      try {
        await run(program(name), args)
      } catch (error) {
        const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
        found.push(`${manifest.name}: ${name}: ${stdout}${stderr}`.trim())
      }
    }
  }
  return found
}

function print(packed: readonly Packed[], bills: ReadonlyMap<string, number>): void {
  const kilobytes = (bytes: number) => `${(bytes / 1024).toFixed(1)} KB`
  const rows = packed.map(({ manifest, files, bytes, unpackedBytes }) => [
    `${manifest.name}@${manifest.version}`,
    `${files.length} files`,
    kilobytes(bytes),
    kilobytes(unpackedBytes),
    `${bills.get(manifest.name)} in its SBOM`,
    Object.keys(manifest.dependencies ?? {}).join(' ') || 'no dependencies',
  ])
  const widths = [0, 1, 2, 3, 4].map((at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)))
  console.log('\nwould be published     (packed, unpacked, bill of materials, depends on)\n')
  for (const row of rows) {
    console.log(row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  '))
  }
  console.log()
}
