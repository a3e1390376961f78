import { type Content, type Html, html } from '../html/html.ts'
import { STYLESHEET_PATH } from '../html/stylesheet.ts'
import type { Viewer } from '../routing/access.ts'
import type { PageRoute } from '../routing/route.ts'

/**
 * A whole page. `root` leads from the page's path to the base of the dashboard, because all links
 * are relative.
 */
export function layout(of: {
  readonly root: string
  readonly title: string
  readonly product: string
  readonly navigation: readonly PageRoute[]
  readonly current: string | undefined
  readonly viewer: Viewer | undefined
  readonly body: Content
}): Html {
  const { root, title, product, navigation, current, viewer, body } = of
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · ${product}</title>
<link rel="stylesheet" href="${root}${STYLESHEET_PATH}">
<link rel="icon" href="data:,">
</head>
<body>
<a class="skip" href="#content">To the content</a>
<header><div><strong>${product}</strong>${
    navigation.length > 0 &&
    html`<nav aria-label="Pages">${navigation.map((route) =>
      route.path === current
        ? html`<a href="${root}${route.path}" aria-current="page">${route.title}</a>`
        : html`<a href="${root}${route.path}">${route.title}</a>`,
    )}</nav>`
  }${viewer && html`<span class="who">${viewer.actor}${viewer.may === 'read-only' && ', read only'}</span>`}</div></header>
<main id="content"><h1>${title}</h1>
${body}
</main>
<footer>As of ${new Date().toISOString().slice(11, 19)} UTC, as all times here. <a href="">Reload</a> to see what is new: nothing moves while you read.</footer>
</body>
</html>`
}
