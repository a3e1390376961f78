import { brokenStore } from '../broken-store.ts'

/** A column of 64 characters that truncates, in a collation that normalises. */
export const shortKeys = brokenStore({
  fault: 'cuts keys off, normalised, without their signs, and glued together',
  steps: () => ({
    id: ({ namespace, scope, key }) =>
      [namespace, scope.normalize('NFC').slice(0, 200), numeric(key).slice(0, 200)]
        .join('')
        .replaceAll(/[^a-z0-9À-ÿ]/gi, ''),
  }),
  caughtBy: [
    'keys: never meet: keys that differ in their last byte of 255',
    'keys: never meet: keys that differ in spaces',
    'keys: never meet: keys full of what SQL, LIKE, globs and hash tags mean something by',
    'keys: never meet: keys that are the same number',
    'keys: never meet: scopes that look the same',
    'keys: never meet: scopes beyond the basic plane',
    'keys: never meet: scopes of 255 bytes',
    'keys: never meet: namespace, scope and key with one and the same text when joined',
    'keys: never meet: names that carry lengths of their own',
  ],
})

function numeric(key: string): string {
  return Number.isNaN(Number(key)) ? key : `${Number(key)}`
}
