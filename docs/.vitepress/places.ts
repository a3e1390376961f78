import { posix } from 'node:path'

/** The folders and files of the repository that are not pages of the site. */
export const notPages: string[] = [
  'README.md',
  '{benchmarks,tests,tools}/**',
  'packages/*/{src,test,bin,monitoring}/**',
  'examples/*/**',
  '.*/**',
]

/** Where a page of the repository is on the site, both with `.md`. */
export function placeOf(path: string): string {
  const package_ = /^packages\/([^/]+)\/README\.md$/.exec(path)?.[1]
  if (package_ !== undefined) return `packages/${package_}.md`
  if (path === 'README.md') return 'index.md'
  if (path === 'examples/README.md') return 'examples.md'
  if (!path.includes('/')) return path.toLowerCase()
  if (path === 'docs/errors.md') return 'errors/index.md'
  return path.replace(/^docs\//, '').replace(/(^|\/)README\.md$/, '$1index.md')
}

/**
 * What a link of a page becomes on the site. A link to a file that is no page, such as a program of
 * `examples`, is `undefined` there: it leads somewhere only where the repository is.
 */
export function linkOnSite(page: string, href: string): string | undefined {
  if (/^([a-z]+:|#|\/)/.test(href)) return href
  const [path = '', anchor] = href.split('#')
  const target = pathInRepository(page, path)
  const file = target.endsWith('/') ? `${target}README.md` : target
  if (!file.endsWith('.md')) return undefined
  return `/${placeOf(file)}${anchor === undefined ? '' : `#${anchor}`}`
}

/** Where a picture of a page is on the site, for its Markdown; `undefined` if it is elsewhere. */
export function pictureOnSite(page: string, href: string): string | undefined {
  if (/^([a-z]+:|\/)/.test(href)) return undefined
  return `/${pathInRepository(page, href).replace(/^docs\//, '')}`
}

/** Where a link of a page leads in the repository. */
export function pathInRepository(page: string, href: string): string {
  return posix.normalize(posix.join(posix.dirname(page), href.split('#')[0] ?? ''))
}

/**
 * What is shown in place of a link to a file that is no page: its text, and behind it the path in
 * the repository, unless the text is the path.
 */
export function pathBeside(page: string, href: string, text: string): string | undefined {
  const path = pathInRepository(page, href)
  return text.replaceAll('`', '') === path ? undefined : path
}
