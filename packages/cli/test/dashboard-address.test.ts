import { expect, test } from 'vitest'
import { dashboardAddress } from '../src/connection/dashboard.ts'

const NONE = { option: undefined, env: undefined }
const basic = (login: string) => `Basic ${Buffer.from(login).toString('base64')}`

// A bug: fetch takes no URL with a password, and the address that `oncekey dashboard` prints was
// "does not answer".
test.each([
  ['http://oncekey:t0k@127.0.0.1:4983/', NONE, 'http://127.0.0.1:4983/', basic('oncekey:t0k')],
  ['https://a:b%40c@shop.example/ops', NONE, 'https://shop.example/ops/', basic('a:b@c')],
  // What is in the URL is meant for this dashboard; the variable may be for another.
  [
    'http://a:b@shop.example/',
    { option: undefined, env: 't' },
    'http://shop.example/',
    basic('a:b'),
  ],
  ['http://shop.example', { option: undefined, env: 't' }, 'http://shop.example/', 'Bearer t'],
  ['http://shop.example', { option: 'o', env: 't' }, 'http://shop.example/', 'Bearer o'],
  ['http://shop.example/ops', NONE, 'http://shop.example/ops/', undefined],
])('%s', (text, token, href, authorization) => {
  expect(dashboardAddress(text, token)).toEqual({ href, authorization })
})

test('a password and a token are not both taken', () => {
  const token = { option: 'o', env: undefined }
  expect(() => dashboardAddress('http://a:secret@shop.example', token)).toThrow(
    /^The URL has a password in it, and --token is another/,
  )
  let said = ''
  try {
    dashboardAddress('ftp://a:secret@shop.example', NONE)
  } catch (error) {
    said = String(error)
  }
  expect(said).toContain('must be where a dashboard is')
  expect(said).not.toContain('secret')
})
