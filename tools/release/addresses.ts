import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

// Writes the addresses of the repository and the site into each package.json, once they are known:
// npx tsx tools/release/addresses.ts git+https://host/owner/repository.git https://site/
const [repository, site] = process.argv.slice(2)
if (!repository?.startsWith('git+https://') || !site?.startsWith('https://')) {
  throw new Error('Write the address of the repository (git+https://…) and that of the site.')
}
for (const name of readdirSync('packages')) {
  const path = join('packages', name, 'package.json')
  const manifest: Record<string, unknown> = JSON.parse(readFileSync(path, 'utf8'))
  const placed = Object.entries(manifest).flatMap(([field, value]) => {
    if (field === 'repository' || field === 'homepage') return []
    if (field !== 'license') return [[field, value]]
    return [
      ['homepage', new URL(`packages/${name}`, site).href],
      ['repository', { type: 'git', url: repository, directory: `packages/${name}` }],
      [field, value],
    ]
  })
  writeFileSync(path, `${JSON.stringify(Object.fromEntries(placed), null, 2)}\n`)
}
