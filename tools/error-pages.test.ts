import { expect, test } from 'vitest'
import { findErrorPageFaults, renderErrorPages } from './error-pages.ts'

const table = [
  '| code | where | what it means | what to do |',
  '|---|---|---|---|',
  '| <a id="key-reused"></a>`key-reused` | 422, retry `new-key` | The key is taken ([how](http.md)). | Client: a new key. Server: nothing. |',
  '| <a id="scope-invalid"></a>`scope-invalid` | thrown by a request | There is no scope. | Give one. |',
].join('\n')

test('a page has what the row says, for each of whom it tells, with links from its folder', () => {
  const [reused, scope] = renderErrorPages(table)
  expect(reused?.path).toBe('docs/errors/key-reused.md')
  expect(reused?.text).toContain('The key is taken ([how](../http.md)).')
  expect(reused?.text).toContain('Client: a new key.\n\nServer: nothing.')
  expect(reused?.text).toContain('HTTP/1.1 422')
  expect(scope?.text).toContain('It is thrown by a request. Over HTTP it reaches')
})

test('a page that is stale, missing or too many is a fault', () => {
  const [reused, scope] = renderErrorPages(table)
  const errors = { path: 'docs/errors.md', text: table }
  expect(findErrorPageFaults([errors, reused!, scope!])).toEqual([])
  const gone = { path: 'docs/errors/gone.md', text: '' }
  expect(findErrorPageFaults([errors, { ...reused!, text: 'old' }, gone])).toEqual([
    'docs/errors/gone.md: stale; write it with npx -y pnpm@12 errors',
    'docs/errors/key-reused.md: stale; write it with npx -y pnpm@12 errors',
    'docs/errors/scope-invalid.md: stale; write it with npx -y pnpm@12 errors',
  ])
})
