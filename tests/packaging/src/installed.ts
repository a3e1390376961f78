import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Consumer, installConsumer } from './consumer.ts'
import { packEveryPackage, type Tarball } from './tarballs.ts'

/** All packages, packed and installed as a user would, once for all tests. */
export interface Installed {
  readonly tarballs: readonly Tarball[]
  /** A project with every peer. */
  readonly consumer: Consumer
  /** A project without the optional peers. */
  readonly frugal: Consumer
  remove(): void
}

export async function installEveryPackage(): Promise<Installed> {
  const folder = mkdtempSync(join(tmpdir(), 'oncekey-packaging-'))
  const remove = (): void => rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
  const inside = (name: string): string => {
    mkdirSync(join(folder, name))
    return join(folder, name)
  }
  try {
    const tarballs = await packEveryPackage(inside('tarballs'))
    return {
      tarballs,
      consumer: await installConsumer(inside('consumer'), tarballs, { peers: 'all' }),
      frugal: await installConsumer(inside('frugal'), tarballs, { peers: 'required' }),
      remove,
    }
  } catch (error) {
    remove()
    throw error
  }
}
