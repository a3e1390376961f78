import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface BuiltPage {
  /** Its address on the site, such as `/errors/key-reused`. */
  readonly address: string
  readonly html: string
}

export function builtPages(folder: string): BuiltPage[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.html') && file !== '404.html')
    .sort()
    .map((file) => ({
      address: `/${file.replace(/\.html$/, '').replace(/(^|\/)index$/, '$1')}`,
      html: readFileSync(join(folder, file), 'utf8'),
    }))
}

/** Finds links in the text of a page to an anchor that the linked page does not have. */
export function deadAnchors(pages: readonly BuiltPage[]): string[] {
  const ids = new Map(
    pages.map(({ address, html }) => [
      address,
      new Set([...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id as string)),
    ]),
  )
  return pages.flatMap(({ address, html }) =>
    [...html.matchAll(/<a href="([^"]*)#([^"]+)"/g)].flatMap(([, path = '', anchor = '']) => {
      if (/^[a-z]+:/.test(path)) return []
      const target = path === '' ? address : path
      return ids.get(target)?.has(decodeURIComponent(anchor))
        ? []
        : [`${address}: ${path}#${anchor}`]
    }),
  )
}
