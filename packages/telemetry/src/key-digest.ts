import { createHash } from 'node:crypto'

/** What stands for a key where it must not be read: the same for the same scope and key. 16 hex digits. */
export function keyDigest(scope: string | undefined, key: string | undefined): string | undefined {
  if (key === undefined) return undefined
  return createHash('sha256')
    .update(JSON.stringify([scope, key]))
    .digest('hex')
    .slice(0, 16)
}
