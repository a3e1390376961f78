import { createRequire } from 'node:module'

/** Of this package. */
export function version(): string {
  return createRequire(import.meta.url)('oncekey/package.json').version
}
