import { expect, test } from 'vitest'
import { accepts } from '../../src/response/accept-encoding.ts'

test.each<[header: string | undefined, coding: string, answer: boolean]>([
  [undefined, 'gzip', true],
  [undefined, 'x-own', true],
  ['', 'gzip', false],
  ['', 'identity', true],
  ['gzip', 'gzip', true],
  ['GZip', 'gzip', true],
  ['x-gzip', 'gzip', true],
  ['gzip', 'x-gzip', true],
  ['gzip, deflate, br', 'br', true],
  ['gzip,br', 'deflate', false],
  [' gzip ; q=0.5 , br', 'gzip', true],
  ['gzip;q=0', 'gzip', false],
  ['gzip;q=0.000', 'gzip', false],
  ['gzip;Q=0', 'gzip', false],
  ['gzip;q=0.001', 'gzip', true],
  ['gzip;q=1.0;x=y', 'gzip', true],
  ['gzip;q=nonsense', 'gzip', true],
  ['*', 'br', true],
  ['*;q=0', 'br', false],
  ['br;q=0, *', 'br', false],
  ['br, *;q=0', 'br', true],
  ['identity', 'gzip', false],
  ['gzip', 'identity', true],
  ['identity;q=0', 'identity', false],
  ['*;q=0', 'identity', false],
  ['gzip, *;q=0', 'identity', false],
  ['identity, *;q=0', 'identity', true],
  [',, gzip,', 'gzip', true],
])('Accept-Encoding %j admits %s: %s', (header, coding, answer) => {
  expect(accepts(header, coding)).toBe(answer)
})
