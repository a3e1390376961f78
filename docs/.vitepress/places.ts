import { posix } from 'node:path'

/** The folders and files of the repository that are not pages of the site. */
export const notPages: string[] = [
  'README.md',
  '{benchmarks,monitoring,tests,tools}/**',
  'packages/*/{src,test,bin}/**',
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
  const target = posix.normalize(posix.join(posix.dirname(page), path))
  const file = target.endsWith('/') ? `${target}README.md` : target
  if (!file.endsWith('.md')) return undefined
  return `/${placeOf(file)}${anchor === undefined ? '' : `#${anchor}`}`
}
