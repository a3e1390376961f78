import { describe, expect, test } from 'vitest'
import { pathScope } from '../../src/receiving/path-scope.ts'

const scopeOf = (originalUrl: string) => pathScope({ originalUrl })

describe('the scope made of the path of a webhook', () => {
  test.each([
    '/Hooks/Billing',
    '/hooks/billing/',
    '//hooks//billing',
    '/hooks/b%69lling',
    '/hooks/./x/../billing',
    '/hooks/billing;v=1',
    '/hooks/billing?attempt=2#x',
    'http://elsewhere.example/hooks/billing',
    'HTTP://elsewhere.example:8080//hooks/billing/',
  ])('is one, however it is spelled: %s', (spelling) => {
    expect(scopeOf(spelling)).toBe('/hooks/billing')
  })

  test('differs between paths, even for one that begins with two slashes', () => {
    const paths = ['/', '/a', '/b', '//c', '//d/e', '/f/e', '/a%2520', '/a%20', '/%', '/%zz']
    expect(new Set(paths.map(scopeOf)).size).toBe(paths.length)
  })

  test('is printable ASCII of at most 255 characters', () => {
    for (const path of ['/ä', '/%C3%A4', '/%00', '/%F0%9F%92%B6', '/%ff', `/${'x'.repeat(500)}`]) {
      expect(scopeOf(path)).toMatch(/^[\x21-\x7e]{1,255}$/)
    }
  })
})
