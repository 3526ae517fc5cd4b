// Figures side by side.
export default {
  props: { items: Array, label: String },
  template: `
    <dl class="tiles" :aria-label="label">
      <div v-for="item in items" :key="item.label" class="tile" :class="item.tone" :title="item.title || item.value">
        <dt>{{ item.label }}</dt>
        <dd>{{ item.value }}<small v-if="item.unit">{{ item.unit }}</small></dd>
        <dd class="sub" style="font-weight: 400; letter-spacing: 0; line-height: 1.4; white-space: normal">{{ item.sub }}</dd>
      </div>
    </dl>`,
};
