import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { SiteConfig } from 'vitepress'
import { linkOnSite, pathBeside, placeOf } from './places.ts'

/**
 * Writes each page's Markdown beside it (`/http.md` beside `/http`), and `llms.txt`, a list of them
 * in the form of llmstxt.org, for programs that read documentation.
 */
export function writePlainPages({ srcDir, outDir, pages, site }: SiteConfig): void {
  const entries = pages.map((page) => {
    const place = placeOf(page)
    const text = withLinksOfSite(page, readFileSync(join(srcDir, page), 'utf8'))
    mkdirSync(dirname(join(outDir, place)), { recursive: true })
    writeFileSync(join(outDir, place), text)
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

/** Its text where each link leads where it leads on the site. */
export function withLinksOfSite(page: string, text: string): string {
  return text.replace(/(?<!!)\[([^\]]*)\]\(([^)\s]+)\)/g, (whole, label, href) => {
    const link = linkOnSite(page, href)
    if (link !== undefined) return link === href ? whole : `[${label}](${link})`
    const path = pathBeside(page, href, label)
    return path === undefined ? label : `${label} (\`${path}\`)`
  })
}
