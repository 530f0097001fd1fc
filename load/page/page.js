'use strict';
// What the titles in the plots say, and this draws beside the pointer: at once, for keys too, and in all plots over time.
(() => {
  const tip = document.getElementById('tip');
  const text = new Map();
  const plots = [...document.querySelectorAll('.plot > svg')].map(svg => ({svg, strips: [...svg.querySelectorAll('.strip')], at: -1}));
  for (const title of document.querySelectorAll('.tip > title')) {
    text.set(title.parentNode, title.textContent);
    title.remove();
  }
  const light = (plot, at) => {
    plot.strips[plot.at]?.classList.remove('on');
    plot.at = at;
    plot.strips[at]?.classList.add('on');
  };
  // Plots over time have the same moments; the first one is over percentiles.
  const together = plot => plot.svg.closest('#percentiles') ? [plot] : plots.filter(p => !p.svg.closest('#percentiles'));
  const hide = plot => {
    tip.hidden = true;
    together(plot).forEach(p => light(p, -1));
  };
  const show = (plot, what, x, y) => {
    const at = plot.strips.indexOf(what);
    together(plot).forEach(p => light(p, at));
    tip.textContent = text.get(what);
    tip.hidden = false;
    const room = document.documentElement.clientWidth - tip.offsetWidth - 8;
    tip.style.left = Math.max(8, Math.min(room, x + 14 > room ? x - tip.offsetWidth - 14 : x + 14)) + scrollX + 'px';
    tip.style.top = Math.max(8, y - tip.offsetHeight - 10) + scrollY + 'px';
  };
  for (const plot of plots) {
    const point = event => {
      const what = event.target.closest('.tip');
      what ? show(plot, what, event.clientX, event.clientY) : hide(plot);
    };
    plot.svg.addEventListener('pointermove', point);
    plot.svg.addEventListener('pointerdown', point);
    plot.svg.addEventListener('pointerleave', () => hide(plot));
    plot.svg.addEventListener('blur', () => hide(plot));
    plot.svg.addEventListener('keydown', event => {
      const last = plot.strips.length - 1;
      const to = {ArrowLeft: plot.at - 1, ArrowRight: plot.at + 1, Home: 0, End: last}[event.key];
      if (event.key === 'Escape') hide(plot);
      if (to === undefined || last < 0) return;
      event.preventDefault();
      const what = plot.strips[Math.max(0, Math.min(last, to))];
      const box = what.getBoundingClientRect();
      show(plot, what, box.right, box.top + 60);
    });
  }
  const save = document.getElementById('save');
  save.hidden = false;
  save.addEventListener('click', () => {
    const file = new Blob([document.getElementById('report').textContent], {type: 'application/json'});
    const link = document.createElement('a');
    link.href = URL.createObjectURL(file);
    link.download = 'report.json';
    link.click();
    URL.revokeObjectURL(link.href);
  });
})();
