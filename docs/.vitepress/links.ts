import type { MarkdownRenderer } from 'vitepress'
import { linkOnSite, pathBeside } from './places.ts'

/**
 * Pages link to each other as files, so that they can be read where the repository is. Here these
 * links are turned into addresses of the site, before VitePress checks that none is dead. A link to
 * a file that is no page becomes the file's path, as code.
 */
export function linksOfFiles(md: MarkdownRenderer, root: string): void {
  md.core.ruler.push('links-of-files', ({ tokens, env }) => {
    const page = String(env.realPath ?? env.path).slice(root.length + 1)
    for (const { children } of tokens) {
      // The link that leads nowhere here, and its text so far; links do not nest.
      let dropped: { readonly begin: object; readonly href: string; text: string } | undefined
      for (const token of children ?? []) {
        if (token.type === 'link_close' && dropped !== undefined) {
          const path = pathBeside(page, dropped.href, dropped.text)
          const around = path === undefined && !dropped.text.includes('`')
          if (around) Object.assign(dropped.begin, { type: 'html_inline', content: '<code>' })
          const beside = path === undefined ? '' : ` (<code>${md.utils.escapeHtml(path)}</code>)`
          Object.assign(token, {
            type: 'html_inline',
            nesting: 0,
            content: around ? '</code>' : beside,
          })
          dropped = undefined
        } else if (dropped !== undefined) {
          dropped.text += token.markup + token.content + token.markup
        }
        if (token.type !== 'link_open') continue
        const href = String(token.attrGet('href'))
        const onSite = linkOnSite(page, href)
        if (onSite !== undefined) token.attrSet('href', onSite)
        else {
          dropped = { begin: token, href, text: '' }
          Object.assign(token, { type: 'text', nesting: 0, content: '' })
        }
      }
    }
  })
}
