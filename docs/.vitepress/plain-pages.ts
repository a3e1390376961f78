import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { SiteConfig } from 'vitepress'
import { linkOnSite, pathBeside, pathInRepository, pictureOnSite, placeOf } from './places.ts'

/**
 * Writes each page's Markdown beside it (`/http.md` beside `/http`), and `llms.txt`, a list of them
 * in the form of llmstxt.org, for programs that read documentation. The pages' pictures are beside
 * them under their own names; those that VitePress writes have others.
 */
export function writePlainPages({ srcDir, outDir, pages, site }: SiteConfig): void {
  const entries = pages.map((page) => {
    const place = placeOf(page)
    const source = withoutComments(readFileSync(join(srcDir, page), 'utf8'))
    const text = withLinksOfSite(page, source)
    mkdirSync(dirname(join(outDir, place)), { recursive: true })
    writeFileSync(join(outDir, place), text)
    for (const [from, to] of picturesOf(page, source)) {
      mkdirSync(dirname(join(outDir, to)), { recursive: true })
      copyFileSync(join(srcDir, from), join(outDir, to))
    }
    const title = /^# (.+)$/m.exec(text)?.[1] ?? place
    return { place, line: `- [${title}](${site.base}${place})` }
  })
  const lines = (of: (place: string) => boolean) =>
    entries.filter(({ place }) => of(place)).map(({ line }) => line)
  const isError = (place: string) => place.startsWith('errors/')
  const isDecision = (place: string) => place.startsWith('decisions/')
  const isPackage = (place: string) => place.startsWith('packages/')
  const text = [
    `# ${site.title}`,
    '',
    `> ${site.description}`,
    '',
    '## Pages',
    '',
    ...lines((place) => !isError(place) && !isDecision(place) && !isPackage(place)),
    '',
    '## Packages',
    '',
    ...lines(isPackage),
    '',
    '## Errors',
    '',
    ...lines(isError),
    '',
    '## Optional',
    '',
    ...lines(isDecision),
    '',
  ]
  writeFileSync(join(outDir, 'llms.txt'), text.join('\n'))
}

/** Its text without comments, which are for tests and tools of the repository. */
export function withoutComments(text: string): string {
  return text.replace(/^<!--.*?-->\n\n?/gms, '')
}

/** Its text where each link leads where it leads on the site. */
export function withLinksOfSite(page: string, text: string): string {
  return text.replace(/(!?)\[([^\]]*)\]\(([^)\s]+)\)/g, (whole, isPicture, label, href) => {
    if (isPicture) return `![${label}](${pictureOnSite(page, href) ?? href})`
    const link = linkOnSite(page, href)
    if (link !== undefined) return link === href ? whole : `[${label}](${link})`
    const path = pathBeside(page, href, label)
    return path === undefined ? label : `${label} (\`${path}\`)`
  })
}

/** The pictures of a page: where each is in the repository, and where on the site. */
function picturesOf(page: string, text: string): readonly (readonly [string, string])[] {
  return [...text.matchAll(/!\[[^\]]*\]\(([^)\s]+)\)/g)].flatMap(([, href = '']) => {
    const onSite = pictureOnSite(page, href)
    return onSite === undefined ? [] : [[pathInRepository(page, href), onSite] as const]
  })
}
