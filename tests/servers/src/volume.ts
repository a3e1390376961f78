import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import type { Identity } from './unprivileged.ts'
import { watch } from './watchdog.ts'

/**
 * Mounts a tmpfs of this size at a new folder; the returned function unmounts it, even if it is in
 * use.
 */
export function mountVolume(folder: string, bytes: number, { uid, gid }: Identity): () => void {
  if (uid === undefined || gid === undefined || process.platform !== 'linux') {
    throw new Error('A volume of its own can be mounted only by root on Linux.')
  }
  mkdirSync(folder)
  const options = `size=${bytes},uid=${uid},gid=${gid},mode=0700`
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'oncekey-test', folder])
  const unwatch = watch({ mount: folder })
  return () => {
    execFileSync('umount', ['-l', folder])
    unwatch()
  }
}
