import { usageError } from '../command/cli-error.ts'
import type { DashboardAddress } from '../command/dashboard-api.ts'
import { decoded } from './server-url.ts'

/**
 * The address of a dashboard. A name and password in the URL, as `oncekey dashboard` prints them,
 * are sent as a browser sends them. Throws a usage error that does not contain the text.
 */
export function dashboardAddress(
  text: string,
  token: { readonly option: string | undefined; readonly env: string | undefined },
): DashboardAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw usageError('--url must be where a dashboard is: https://shop.example/admin/oncekey.')
  }
  const { username, password } = url
  url.username = ''
  url.password = ''
  if (!url.pathname.endsWith('/')) url.pathname += '/'
  if (username === '' && password === '') {
    const given = token.option ?? token.env
    return { href: url.href, authorization: given === undefined ? undefined : `Bearer ${given}` }
  }
  if (token.option !== undefined) {
    throw usageError('The URL has a password in it, and --token is another: write one of them.')
  }
  const login = Buffer.from(`${decoded(username)}:${decoded(password)}`).toString('base64')
  return { href: url.href, authorization: `Basic ${login}` }
}
