import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { startNode } from '../src/index.ts'

const script = fileURLToPath(new URL('./installs-a-program.ts', import.meta.url))
let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'oncekey-apt-'))
})

afterEach(() => rmSync(folder, { recursive: true }))

/**
 * Writes a stand-in for apt-get, and has a process look for the program with nothing else on its
 * PATH.
 */
async function findWith(aptGet: string): Promise<{ found: string; calls: string[] }> {
  const calls = join(folder, 'calls')
  writeFileSync(calls, '')
  const path = join(folder, 'apt-get')
  writeFileSync(path, `#!/bin/sh\ncalls=${calls} folder=${folder}\necho "$3" >> $calls\n${aptGet}`)
  chmodSync(path, 0o755)
  const child = await startNode<{ found: string }>(script, { env: { PATH: `${folder}:/bin` } })
  await child.exited
  return { found: child.ready.found, calls: readFileSync(calls, 'utf8').trim().split('\n') }
}

// Only root may install.
test.skipIf(process.getuid?.() !== 0)(
  'installs a program although another process holds the lock of the package lists at first',
  async () => {
    const { found, calls } = await findWith(`
case "$3 $(grep -c update $calls)" in
  'update 1') echo 'E: Could not get lock /var/lib/apt/lists/lock.' >&2; exit 100 ;;
  install*) echo '#!/bin/sh' > $folder/brought-by-apt; chmod +x $folder/brought-by-apt ;;
esac`)
    expect(found).toBe(join(folder, 'brought-by-apt'))
    expect(calls).toEqual(['update', 'update', 'install'])
  },
)

test.skipIf(process.getuid?.() !== 0)(
  'reports at once what apt-get cannot install, and what to install instead',
  async () => {
    const { found, calls } = await findWith(`echo 'E: no network' >&2; exit 100`)
    expect(found).toMatch(/install it yourself[\s\S]*E: no network/)
    expect(calls).toEqual(['update'])
  },
)
